/** Path of the control channel below the coordinator's URL. */
export const controlPath = "/v1/control";
/** Path of the relay below the coordinator's URL. */
export const relayPath = "/v1/relay";
/** Request header that carries a member's ticket on relay and peer sockets, in lower case. */
export const ticketHeader = "lockstep-ticket";
