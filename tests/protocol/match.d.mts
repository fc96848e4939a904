export type Values = Record<string, unknown>;
export function differences(expected: unknown, got: unknown, values: Values, at?: string): string[];
export function filled<T>(template: T, values: Values, make: (word: string) => unknown): T;
