export function renderProtocolTable(protocol: object): string;
export function replaceProtocolTable(text: string, table: string): string;
