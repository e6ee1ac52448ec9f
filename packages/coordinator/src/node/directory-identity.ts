/** @file Which file a journal is: told from a copy of it by where it lies and when it was made. */
import { fstatSync } from "node:fs";
import { hostname } from "node:os";
import type { DirectoryIdentity } from "./journal-record.js";

/**
 * Identity of an open file. Some file systems know no birth time and give the time of the last change for it; that one is of no use,
 * and "0" stands in its place.
 */
export function identityOfFile(file: number): DirectoryIdentity {
  const { dev, ino, birthtimeNs, ctimeNs, size } = fstatSync(file, { bigint: true });
  const isChangeTime = size > 0n && birthtimeNs === ctimeNs;
  return {
    host: hostname(),
    device: dev.toString(),
    inode: ino.toString(),
    birthTimeNs: (isChangeTime ? 0n : birthtimeNs).toString(),
  };
}

/**
 * Birth time and inode tell a file from a copy of it. A laptop's name changes with its network, a container's at each start, and
 * device numbers with a restart, so host and device count only where there is no birth time.
 */
export function isSameDirectory(a: DirectoryIdentity, b: DirectoryIdentity): boolean {
  if (a.inode !== b.inode) return false;
  if (a.birthTimeNs === "0" || b.birthTimeNs === "0") return a.host === b.host && a.device === b.device;
  return a.birthTimeNs === b.birthTimeNs;
}
