export const root: string;
export function cleanEnvironment(): NodeJS.ProcessEnv;
export function workspaceMembers(): string[];
export function filesUnder(folder: string, accept: (name: string) => boolean): string[];
