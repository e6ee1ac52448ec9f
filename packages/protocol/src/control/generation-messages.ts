/** @file A generation: who its members are, and which pairs of them can talk directly. */
import * as z from "zod";
import { defineMessage } from "../codec/control-codec.js";
import * as field from "./control-fields.js";

export const member = z.strictObject({
  rank: field.rank,
  workerId: field.workerId,
  name: field.name,
  /** Addresses on which the others may dial it; empty means relay. */
  listenUrls: z.array(field.url).max(8),
  /** What this member presents when it dials a peer or the relay in this generation. */
  ticket: field.ticket,
});
export type Member = z.infer<typeof member>;

export const startGeneration = defineMessage({
  tag: 32,
  name: "startGeneration",
  direction: "coordinatorToWorker",
  maxBytes: 1_048_576,
  since: 1,
  doc: "A new membership. Members dial one another (the receiver dials) and answer with linkReport.",
  schema: z.strictObject({
    generation: field.generation.min(1),
    members: z.array(member).min(1).max(field.maxWorkersLimit),
    numMicroBatches: field.positive.max(field.maxGridMicroBatches),
    reason: field.reason,
  }),
});

export const link = z.strictObject({
  /** The peer that was dialled. */
  rank: field.rank,
  isDirect: z.boolean(),
  /** Why it could not be dialled. */
  reason: field.reason.nullable(),
});
export type Link = z.infer<typeof link>;

export const linkReport = defineMessage({
  tag: 33,
  name: "linkReport",
  direction: "workerToCoordinator",
  maxBytes: 1_048_576,
  since: 1,
  doc: "Which peers this member could dial, that is: from which peers data can come directly.",
  schema: z.strictObject({
    generation: field.generation.min(1),
    links: z.array(link).max(field.maxWorkersLimit),
  }),
});

export const routes = defineMessage({
  tag: 34,
  name: "routes",
  direction: "coordinatorToWorker",
  maxBytes: 1_048_576,
  since: 1,
  doc: "All links are reported; the ordered pairs [fromRank, toRank] that go through the coordinator's relay.",
  schema: z.strictObject({
    generation: field.generation.min(1),
    relayPairs: z.array(z.tuple([field.rank, field.rank])).max(field.maxWorkersLimit * field.maxWorkersLimit),
  }),
});
