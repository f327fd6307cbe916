// What the code of docs/contract.md takes for given.
declare const token: string;
declare const sessionCode: string;
declare function show(seq: number, displayName: string, message: string): void;
declare function later(ms: number | undefined): void;
