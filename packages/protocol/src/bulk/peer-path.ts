/** Path of a worker's listener for data links, below its URL. The receiver dials, so that data flows unmasked. */
export const peerPath = "/v1/peer";
/** Request header with the workerId of the one who dials, in lower case; its ticket stands in `ticketHeader`. */
export const workerHeader = "lockstep-worker";
