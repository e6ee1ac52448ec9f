export * from "./socket-constructors.js";
export * from "./web-socket-frame-channel.js";
export * from "./web-socket-transport.js";
