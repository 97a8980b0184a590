import { useReducer } from "react";

type Item = { isbn: string; title: string; copies: number; cents: number };
type Action = { kind: "add"; item: Item } | { kind: "remove"; isbn: string } | { kind: "clear" };

export function basketReducer(items: Item[], action: Action): Item[] {
  switch (action.kind) {
    case "add": {
      const known = items.find((item) => item.isbn === action.item.isbn);
      if (!known) return [...items, action.item];
      return items.map((item) => (item === known ? { ...item, copies: item.copies + action.item.copies } : item));
    }
    case "remove":
      return items.filter((item) => item.isbn !== action.isbn);
    case "clear":
      return [];
  }
}

export function formatPrice(cents: number, locale: string, currency: string): string {
  return new Intl.NumberFormat(locale, { style: "currency", currency }).format(cents / 100);
}

export function Basket({ initial }: { initial: Item[] }) {
  const [items, dispatch] = useReducer(basketReducer, initial);
  const sum = items.reduce((total, item) => total + item.copies * item.cents, 0);
  return (
    <section className="basket">
      {items.map((item) => (
        <p key={item.isbn}>
          {item.copies} × {item.title}
          <button onClick={() => dispatch({ kind: "remove", isbn: item.isbn })}>Take out</button>
        </p>
      ))}
      <strong>{formatPrice(sum, navigator.language, "EUR")}</strong>
    </section>
  );
}
