/** Transcendental functions with the same bits on every engine. Host `Math` has them too, but not the same everywhere (L1). */
export { exp, expm1 } from "./exp.js";
export { log, log1p } from "./log.js";
export { pow } from "./pow.js";
export { tanh } from "./tanh.js";
export { cos, sin } from "./trig.js";
