/** @file Opens the control channel and says hello. */
import type { Clock } from "@lockstep/collectives";
import { type SocketConstructors, webSocketFrameChannel } from "@lockstep/collectives/node";
import type { FrameChannel, MessageBody } from "@lockstep/protocol";
import type { BlobParts } from "../control/blob-transfers.js";
import { createControlClient } from "../control/control-client.js";
import type { ControlPort } from "../session/session-ports.js";
import { sha256 } from "./engine-spec.js";

/** The control channel of a Node worker. */
export interface NodeControlPort extends ControlPort {
  openRelay(ticket: string): Promise<FrameChannel>;
}

/** @throws {ControlError} E_UNAUTHORIZED for a wrong token, E_CONNECT when nobody answers. */
export async function connectControl(
  target: { readonly url: string; readonly token: string; readonly sockets: SocketConstructors },
  own: {
    readonly clock: Clock;
    readonly parts: BlobParts;
    readonly createHello: (localAddress: string) => Promise<MessageBody<"hello">>;
  },
): Promise<NodeControlPort> {
  const client = createControlClient({
    url: target.url,
    token: target.token,
    WebSocket: target.sockets.WebSocket,
    frameChannelOf: webSocketFrameChannel,
    sha256: (bytes) => sha256([bytes]),
    clock: own.clock,
    parts: own.parts,
  });
  const { localAddress } = await client.open();
  try {
    client.send({ name: "hello", body: await own.createHello(localAddress) });
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}
