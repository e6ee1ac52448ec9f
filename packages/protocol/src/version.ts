/** Version of everything in this package. Peers of another version are refused in the handshake. */
export const PROTOCOL_VERSION = 3;
