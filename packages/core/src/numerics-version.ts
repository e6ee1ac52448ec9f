/**
 * Raised whenever a change gives a training run other bits (a kernel's order of additions, a random stream, scalar-math). Processes of
 * unlike versions do not train together, and checkpoints say which one made them.
 */
export const numericsVersion = 1;
