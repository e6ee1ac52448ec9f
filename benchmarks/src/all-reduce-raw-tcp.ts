/**
 * @file Raw TCP in a ring, for comparison: every process sends to its successor and receives from its predecessor at once.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

const READ_BYTES = 524_288;
const WRITE_BYTES = 1_048_576;

export class RawRing {
  private readonly server = createServer({ noDelay: true }, (socket) => this.accept(socket));
  private successor: Socket | undefined;
  private readonly accepted: Promise<void>;
  private accept: (socket: Socket) => void = () => {};
  private receivedBytes = 0;
  private wanted: { readonly numBytes: number; readonly resolve: () => void } | undefined;
  private predecessor: Socket | undefined;
  private readonly source: Buffer;

  /** @param source what is sent, from its beginning and again when it ends: as large as ours, so that caches help nobody. */
  constructor(source: Buffer) {
    this.source = source;
    this.accepted = new Promise((resolve) => {
      this.accept = (socket) => {
        this.successor = socket;
        resolve();
      };
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return (this.server.address() as AddressInfo).port;
  }

  /** Dials the predecessor: who receives dials, as in our transport. */
  async link(predecessorPort: number): Promise<void> {
    const onread = {
      buffer: Buffer.alloc(READ_BYTES),
      callback: (numBytes: number): boolean => {
        this.receivedBytes += numBytes;
        this.settle();
        return true;
      },
    };
    await new Promise<void>((resolve) => {
      const options = { port: predecessorPort, host: "127.0.0.1", onread, noDelay: true };
      this.predecessor = connect(options, resolve);
    });
    await this.accepted;
  }

  /** Sends and receives `numBytes`. */
  async exchange(numBytes: number): Promise<void> {
    const received = new Promise<void>((resolve) => {
      this.wanted = { numBytes, resolve };
      this.settle();
    });
    const successor = this.successor as Socket;
    let sent: Promise<void> = Promise.resolve();
    for (let at = 0; at < numBytes; at += WRITE_BYTES) {
      const begin = at % this.source.length;
      const piece = this.source.subarray(begin, begin + Math.min(WRITE_BYTES, numBytes - at));
      sent = new Promise((resolve) => successor.write(piece, () => resolve()));
    }
    await Promise.all([received, sent]);
  }

  close(): void {
    this.successor?.destroy();
    this.predecessor?.destroy();
    this.server.close();
  }

  private settle(): void {
    if (this.wanted === undefined || this.receivedBytes < this.wanted.numBytes) return;
    this.receivedBytes -= this.wanted.numBytes;
    const { resolve } = this.wanted;
    this.wanted = undefined;
    resolve();
  }
}
