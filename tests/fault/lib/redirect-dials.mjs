/**
 * @file For `node --import`: a dial to port REDIRECT_FROM goes to port REDIRECT_TO, where a fault proxy listens. So the link between
 * two workers can be broken although they tell each other their own addresses.
 */
import net from "node:net";

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const [options, listener] = net._normalizeArgs(Array.isArray(args[0]) ? args[0] : args);
  if (Number(options.port) !== Number(process.env.REDIRECT_FROM)) return connect.apply(this, args);
  return connect.call(this, { ...options, port: Number(process.env.REDIRECT_TO) }, listener);
};
