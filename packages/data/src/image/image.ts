/** An image as files hold it: rows from the top, the channels of a pixel beside each other. */
export interface Image {
  readonly width: number;
  readonly height: number;
  /** 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha. */
  readonly channels: number;
  /** [height, width, channels]; u16 for PNG files of 16 bits. */
  readonly data: Uint8Array | Uint16Array;
}
