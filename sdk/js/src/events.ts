/** What listeners of an emitter are called with, by event name. */
type EventMap<E> = { [K in keyof E]: unknown[] };

export type Listener<A extends unknown[]> = (...args: A) => void;

/** Typed events. A component gives its results out through these and never imports the one above it. */
export class Emitter<E extends EventMap<E>> {
  #listeners = new Map<keyof E, Set<Listener<never>>>();

  /** Calls `listener` at every `event`; returns the function that stops this. */
  on<K extends keyof E>(event: K, listener: Listener<E[K]>): () => void {
    let listeners = this.#listeners.get(event);
    if (!listeners) this.#listeners.set(event, (listeners = new Set()));
    listeners.add(listener as Listener<never>);
    return () => this.off(event, listener);
  }

  off<K extends keyof E>(event: K, listener: Listener<E[K]>): void {
    this.#listeners.get(event)?.delete(listener as Listener<never>);
  }

  protected emit<K extends keyof E>(event: K, ...args: E[K]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        (listener as unknown as Listener<E[K]>)(...args);
      } catch (error) {
        // A fault of the app must not stop a call half way, and must not be swallowed either.
        setTimeout(() => {
          throw error;
        });
      }
    }
  }

  protected removeAllListeners(): void {
    this.#listeners.clear();
  }
}
