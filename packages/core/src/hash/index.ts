export { Hash128, hash128 } from "./hash128.js";
