/** Names and what each must wait for; every need is itself a name. */
export type Needs = ReadonlyMap<string, readonly string[]>;

/** Either an order in which every name comes after its needs, or a circle such as `a, b, a`. */
export type TaskOrder =
  | { readonly order: readonly string[]; readonly cycle: null }
  | { readonly order: null; readonly cycle: readonly string[] };

/** The order of execution; names that do not wait for each other stay in the order they were declared in. */
export function orderTasks(needs: Needs): TaskOrder {
  const missing = new Map([...needs].map(([name, wanted]) => [name, new Set(wanted)]));
  const order: string[] = [];
  while (missing.size > 0) {
    const next = [...missing].find(([, wanted]) => wanted.size === 0)?.[0];
    if (next === undefined) return { order: null, cycle: walkCircle(missing) };
    missing.delete(next);
    for (const wanted of missing.values()) wanted.delete(next);
    order.push(next);
  }
  return { order, cycle: null };
}

/** Everything a name waits for, directly or through others, in the given order. */
export function upstreamOf(name: string, needs: Needs): Set<string> {
  const upstream = new Set<string>();
  const pending = [...(needs.get(name) ?? [])];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (upstream.has(next)) continue;
    upstream.add(next);
    pending.push(...(needs.get(next) ?? []));
  }
  return upstream;
}

/** Each name left waits for another one left, so that following needs must come back to a name already seen. */
function walkCircle(missing: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const path: string[] = [];
  let name = [...missing.keys()][0];
  while (name !== undefined && !path.includes(name)) {
    path.push(name);
    name = [...(missing.get(name) ?? [])][0];
  }
  return name === undefined ? path : [...path.slice(path.indexOf(name)), name];
}
