export function renderErrorList(root?: string): string;
