export * from "./classification.js";
export * from "./lists-and-boxes.js";
export * from "./regression.js";
export * from "./scores.js";
export * from "./text.js";
