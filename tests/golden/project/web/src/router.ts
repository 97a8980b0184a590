export interface Route {
  pattern: string;
  render(params: Record<string, string>): Node;
}

/** Splits "?a=1&b=x%20y" into its decoded pairs; a key that comes twice keeps the last value. */
export function parseQueryString(search: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const part of search.replace(/^\?/, "").split("&")) {
    if (!part) continue;
    const [key, value = ""] = part.split("=", 2);
    pairs[decodeURIComponent(key)] = decodeURIComponent(value.replace(/\+/g, " "));
  }
  return pairs;
}

export class Router {
  private routes: Route[] = [];

  constructor(private outlet: HTMLElement) {
    window.addEventListener("popstate", () => this.show(location.pathname));
  }

  register(route: Route): void {
    this.routes.push(route);
  }

  /** "/books/:id" against "/books/42" gives { id: "42" }, or null where they differ. */
  match(pattern: string, path: string): Record<string, string> | null {
    const wanted = pattern.split("/");
    const given = path.split("/");
    if (wanted.length !== given.length) return null;
    const params: Record<string, string> = {};
    for (let i = 0; i < wanted.length; i++) {
      if (wanted[i].startsWith(":")) params[wanted[i].slice(1)] = given[i];
      else if (wanted[i] !== given[i]) return null;
    }
    return params;
  }

  navigate(path: string): void {
    history.pushState({}, "", path);
    this.show(path);
  }

  private show(path: string): void {
    for (const route of this.routes) {
      const params = this.match(route.pattern, path);
      if (params) {
        this.outlet.replaceChildren(route.render(params));
        return;
      }
    }
    this.outlet.textContent = "Nothing here";
  }
}
