/**
 * @file For `node --import`: every connection of this process is refused except to the port OPEN_PORT, as a firewall between two
 * workers would do that lets both reach the coordinator. Listeners work.
 */
import net from "node:net";

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const [options] = net._normalizeArgs(Array.isArray(args[0]) ? args[0] : args);
  if (options.port === undefined || Number(options.port) === Number(process.env.OPEN_PORT))
    return connect.apply(this, args);
  const error = Object.assign(new Error(`connect ECONNREFUSED ${options.host}:${options.port} (blocked by the test)`), {
    code: "ECONNREFUSED",
  });
  process.nextTick(() => this.destroy(error));
  return this;
};
