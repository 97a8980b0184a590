"""What is found in languages with braces and a runtime: hand-written expectations for a small file of each."""

from __future__ import annotations

import pytest

from tests.core.chunk_cases import Case, described

CASES = [
    Case(
        "java",
        """
        package org.example.bank;

        import java.util.ArrayList;
        import java.util.List;

        /**
         * An account with a balance in cents.
         */
        @Entity(name = "account")
        public class Account extends Base {
            private final List<Entry> entries = new ArrayList<>();

            public Account(String owner) {
                super(owner);
            }

            /** Books an amount. */
            @Override
            public void book(long cents) {
                entries.add(new Entry(cents) {
                    @Override public String toString() { return "entry"; }
                });
            }

            private static final int LIMIT_FOR_SMALL_ACCOUNTS = 3;

            abstract int count();

            enum State { OPEN, CLOSED }
        }

        interface Listener {
            void onBooked(Account account);
        }
        """,
        """
        window 1-4
        class Account 6-11 | An account with a balance in cents.
        method Account.Account 13-15
        method Account.book 17-23 | Books an amount.
        window Account 25-30
        class Listener 32-34
        """,
    ),
    Case(
        "javascript",
        """
        'use strict';
        const fs = require('fs');

        /** Reads a settings file. */
        const readSettings = async (path) => {
          return JSON.parse(await fs.promises.readFile(path));
        };

        exports.merge = function (left, right) {
          return { ...left, ...right };
        };

        export class Store extends Base {
          #cache = new Map();

          // Kept as an arrow for its `this`.
          get = (key) => {
            return this.#cache.get(key);
          };

          static async open(path) {
            return new Store(path);
          }
        }

        Store.prototype.close = function () {
          this.handle.close();
        };

        const api = {
          users: {
            async list() {
              return fetch('/users');
            },
          },
        };

        function* numbers() {
          yield 1;
        }

        export default function () {
          return 42;
        }
        """,
        """
        window 1-2
        function readSettings 4-7 | Reads a settings file.
        function merge 9-11
        class Store 13-14
        method Store.get 16-19 | Kept as an arrow for its `this`.
        method Store.open 21-24
        method Store.close 26-28
        method api.users.list 30-36
        function numbers 38-40
        function default 42-44
        """,
    ),
    Case(
        "typescript",
        """
        import { Component } from '@angular/core';

        /** What can be drawn. */
        export interface Shape {
          area(): number;
        }

        @Component({
          selector: 'app-canvas',
        })
        export class Canvas<T extends Shape> {
          private shapes: T[] = [];

          /** Adds one shape. */
          @HostListener('click')
          add(shape: T): void {
            this.shapes.push(shape);
          }

          onReset = () => {
            this.shapes = [];
          };
        }

        export enum Colour { Red, Green }

        namespace Geometry {
          export function distance(a: number, b: number): number {
            return Math.abs(a - b);
          }
        }

        export const total = <T extends Shape>(shapes: T[]): number =>
          shapes.reduce((sum, s) => sum + s.area(), 0);
        """,
        """
        window 1-1
        class Shape 3-6 | What can be drawn.
        class Canvas 8-12
        method Canvas.add 14-18 | Adds one shape.
        method Canvas.onReset 20-23
        class Colour 25-25
        function Geometry.distance 27-31
        function total 33-34
        """,
    ),
    Case(
        "tsx",
        """
        import React from 'react';

        type Props = { name: string; onClose: () => void };

        // Greets a person.
        export const Greeting = React.memo(({ name }: Props) => {
          return <p className="greeting">Hello {name}</p>;
        });

        export function App(): JSX.Element {
          return <Greeting name="World" onClose={() => {}} />;
        }
        """,
        """
        window 1-1
        class Props 3-3
        function Greeting 5-8 | Greets a person.
        function App 10-12
        """,
    ),
    Case(
        "csharp",
        """
        using System;

        namespace Shop.Orders;

        /// <summary>An order of <see cref="Item"/>s.</summary>
        [Serializable]
        public sealed class Order : IOrder
        {
            public int Count { get; set; }

            public Order(string buyer)
            {
                Buyer = buyer;
            }

            /// <summary>
            /// The price of all items.
            /// </summary>
            public decimal Total() => Items.Sum(i => i.Price);

            public static Order operator +(Order a, Order b) { return a; }
        }

        public record Item(string Name, decimal Price);
        """,
        """
        class Shop.Orders.Order 1-9 | An order of Items.
        method Shop.Orders.Order.Order 11-14
        method Shop.Orders.Order.Total 16-19 | The price of all items.
        method Shop.Orders.Order.operator+ 21-22
        class Shop.Orders.Item 24-24
        """,
    ),
    Case(
        "php",
        """
        <?php

        namespace App\\Models;

        use App\\Concerns\\Sluggable;

        /**
         * A published article.
         */
        #[Entity]
        final class Article extends Model
        {
            use Sluggable;

            /** Marks it as read. */
            public function markAsRead(): void
            {
                $this->read = true;
            }

            abstract protected function slug(): string;
        }

        function slugify(string $title): string
        {
            return strtolower($title);
        }
        """,
        """
        window 1-5
        class App.Models.Article 7-13 | A published article.
        method App.Models.Article.markAsRead 15-19 | Marks it as read.
        window App.Models.Article 21-22
        function App.Models.slugify 24-27
        """,
    ),
    Case(
        "kotlin",
        """
        package org.example

        import kotlin.math.abs

        /** A temperature in degrees Celsius. */
        data class Temperature(val degrees: Double) {
            val kelvin: Double
                get() = degrees + 273.15

            /** Whether water freezes. */
            fun isFreezing(): Boolean = degrees <= 0

            companion object {
                fun parse(text: String): Temperature {
                    return Temperature(text.toDouble())
                }
            }
        }

        // Shortens a text.
        fun String?.shortened(length: Int): String {
            return this.orEmpty().take(length)
        }

        object Registry {
            val known = mutableListOf<Temperature>()
        }
        """,
        """
        window 1-3
        class Temperature 5-8 | A temperature in degrees Celsius.
        method Temperature.isFreezing 10-11 | Whether water freezes.
        method Temperature.Companion.parse 13-18
        function String.shortened 20-23 | Shortens a text.
        class Registry 25-27
        """,
    ),
    Case(
        "scala",
        """
        package org.example

        import scala.collection.mutable

        /** Keeps what was seen. */
        object Memory {
          private val seen = mutable.Set.empty[String]

          /** Whether this is new. */
          @inline def isNew(word: String): Boolean = {
            seen.add(word)
          }

          def forget(): Unit = seen.clear()
        }

        trait Greeter {
          def name: String
          def greet(): String = s"Hello $name"
        }

        case class Person(name: String)
        """,
        """
        window 1-3
        class Memory 5-7 | Keeps what was seen.
        method Memory.isNew 9-12 | Whether this is new.
        method Memory.forget 14-15
        class Greeter 17-18
        method Greeter.greet 19-20
        class Person 22-22
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.language)
def test_definitions_are_found_with_symbol_lines_and_documentation(case: Case) -> None:
    assert described(case.language, case.text) == case.expected
