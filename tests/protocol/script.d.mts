export type Frame = Record<string, unknown> & { type: string };
export interface Step {
  place: string;
  client?: string;
  any_order?: Step[];
  signs_in?: object;
  connects?: true | object;
  cuts?: true;
  resumes?: true;
  sends?: Frame;
  loses?: Frame;
  sends_text?: string | { letters: number };
  receives?: Frame | 'nothing';
  is_closed?: { code: number; reason: string };
  does?: Record<string, unknown>;
  sees?: Record<string, unknown>;
  says?: Record<string, unknown>;
  hears?: Record<string, unknown>;
  server?: 'restarts' | 'stops';
  backend?: object;
}
export interface Script {
  name: string;
  title: string;
  serve: string[];
  sdk: string[];
  patience_ms: number;
  clients: Record<string, string>;
  steps: Step[];
}
export function scriptNames(): string[];
export function readScript(name: string): Script;
