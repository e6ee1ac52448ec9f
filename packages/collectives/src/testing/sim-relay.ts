import { decodeRelayHeader, type FrameChannel } from "@lockstep/protocol";

/** The coordinator's part of the relay, as small as it can be: forwards each frame to the channel of its destination. */
export class SimRelay {
  private readonly channels = new Map<number, FrameChannel>();

  /** @param channel the coordinator's end of the channel to the worker of this rank. */
  attach(rank: number, channel: FrameChannel): void {
    this.channels.set(rank, channel);
    channel.onClose(() => this.channels.delete(rank));
    channel.onFrame((bytes) => {
      const { sourceRank, destinationRank } = decodeRelayHeader(bytes);
      if (sourceRank !== rank) return;
      this.channels
        .get(destinationRank)
        ?.send([bytes])
        .catch(() => this.channels.delete(destinationRank));
    });
  }
}
