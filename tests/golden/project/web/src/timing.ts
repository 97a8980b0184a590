/** Runs `action` once the calls have stopped for `ms`; earlier calls are dropped. */
export function debounce<A extends unknown[]>(action: (...args: A) => void, ms: number): (...args: A) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (...args: A) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), ms);
  };
}

/** Lets one call through and holds the others back until `ms` have passed. */
export function throttle<A extends unknown[]>(action: (...args: A) => void, ms: number): (...args: A) => void {
  let last = -Infinity;
  return (...args: A) => {
    const now = performance.now();
    if (now - last >= ms) {
      last = now;
      action(...args);
    }
  };
}
