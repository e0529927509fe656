export const ROOT: string;
export function inRoot(...parts: string[]): string;
export function listFiles(folder: string, accept?: (file: string) => boolean): string[];
