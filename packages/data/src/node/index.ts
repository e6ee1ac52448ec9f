export { readTextFiles } from "./text-files.js";
