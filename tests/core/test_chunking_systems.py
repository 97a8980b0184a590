"""What is found in languages that compile to machine code: hand-written expectations for a small file of each."""

from __future__ import annotations

import pytest

from tests.core.chunk_cases import Case, described

CASES = [
    Case(
        "go",
        """
        package queue

        import "sync"

        // Queue is safe for use by several goroutines.
        type Queue[T any] struct {
            mu    sync.Mutex
            items []T
        }

        // Push appends a value.
        // It never blocks.
        func (q *Queue[T]) Push(value T) {
            q.mu.Lock()
            defer q.mu.Unlock()
            q.items = append(q.items, value)
        }

        func New() *Queue[int] { return &Queue[int]{} }

        type Sink interface {
            Push(value int)
        }
        """,
        """
        class Queue 1-9 | Queue is safe for use by several goroutines.
        method Queue.Push 11-17 | Push appends a value. It never blocks.
        function New 19-19
        class Sink 21-23
        """,
    ),
    Case(
        "rust",
        """
        use std::fmt;

        /// A point in the plane.
        #[derive(Debug, Clone)]
        pub struct Point {
            pub x: f64,
        }

        impl Point {
            /// Distance from the origin.
            #[inline]
            pub fn norm(&self) -> f64 {
                self.x.abs()
            }
        }

        impl<'a, T: Copy> fmt::Display for Wrapper<'a, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "wrapper")
            }
        }

        pub trait Area {
            fn area(&self) -> f64;
        }

        mod helpers {
            pub(crate) fn half(x: f64) -> f64 {
                x / 2.0
            }
        }

        macro_rules! square {
            ($x:expr) => { $x * $x };
        }
        """,
        """
        class Point 1-7 | A point in the plane.
        method Point.norm 9-15 | Distance from the origin.
        method Wrapper.fmt 17-21
        class Area 23-25
        function helpers.half 27-31
        function square 33-35
        """,
    ),
    Case(
        "c",
        """
        #include <stdio.h>

        #define SQUARE(x) ((x) * (x))

        /* A list of numbers. */
        typedef struct {
            int *values;
        } NumberList;

        /*
         * Finds the first even number.
         */
        static const int *
        find_even(const NumberList *list)
        {
            return list->values;
        }

        PyObject *EXPORTED(create)(int size) { return 0; }

        int (*choose(int which))(int) { return 0; }

        enum colour { RED, GREEN };

        int add(int a, int b);
        """,
        """
        window 1-3
        class NumberList 5-8 | A list of numbers.
        function find_even 10-17 | Finds the first even number.
        function create 19-19
        function choose 21-21
        class colour 23-23
        window 25-25
        """,
    ),
    Case(
        "cpp",
        """
        #pragma once
        #include <vector>

        LIB_NAMESPACE_BEGIN
        namespace lib::detail {

        /// A ring of values.
        template <typename T>
        class LIB_EXPORT Ring : public Base {
         public:
          explicit Ring(int size) : size_(size) {}
          ~Ring();
          bool operator==(const Ring& other) const { return size_ == other.size_; }

          // Puts a value in.
          template <typename U>
          void push(U&& value) {
            values_.push_back(value);
          }

         private:
          std::vector<T> values_;
          int size_;
        };

        }  // namespace lib::detail

        template <typename T>
        lib::detail::Ring<T>::~Ring() {
          clear();
        }

        std::ostream& operator<<(std::ostream& out, const Ring<int>& ring) { return out; }

        TEST(Ring, KeepsOrder) {
          EXPECT_EQ(1, 1);
        }
        """,
        """
        window 1-5
        class lib.detail.Ring 7-10 | A ring of values.
        method lib.detail.Ring.Ring 11-12
        method lib.detail.Ring.operator== 13-13
        method lib.detail.Ring.push 15-19 | Puts a value in.
        window lib.detail.Ring 21-26
        method lib.detail.Ring.~Ring 28-31
        function operator<< 33-33
        function Ring.KeepsOrder 35-37
        """,
    ),
    Case(
        "swift",
        """
        import Foundation

        /// A stack of values.
        public struct Stack<Element> {
            private var items: [Element] = []

            /// Adds a value on top.
            @discardableResult
            mutating func push(_ item: Element) -> Int {
                items.append(item)
                return items.count
            }

            init(items: [Element]) {
                self.items = items
            }
        }

        extension Stack: CustomStringConvertible {
            func joined() -> String {
                return items.description
            }
        }

        protocol Drawable {
            func draw()
        }
        """,
        """
        window 1-1
        class Stack 3-5 | A stack of values.
        method Stack.push 7-12 | Adds a value on top.
        method Stack.init 14-17
        method Stack.joined 19-23
        class Drawable 25-27
        """,
    ),
    Case(
        "zig",
        """
        const std = @import("std");

        /// A bounded stack.
        pub const Stack = struct {
            items: [16]u8,
            len: usize,

            /// Puts a value on top.
            pub fn push(self: *Stack, value: u8) void {
                self.items[self.len] = value;
            }
        };

        pub fn List(comptime T: type) type {
            return struct {
                head: ?*T,

                pub fn first(self: @This()) ?*T {
                    return self.head;
                }
            };
        }

        test "push keeps order" {
            try std.testing.expect(true);
        }
        """,
        """
        window 1-1
        class Stack 3-6 | A bounded stack.
        method Stack.push 8-12 | Puts a value on top.
        class List 14-16
        method List.first 18-22
        function push keeps order 24-26
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.language)
def test_definitions_are_found_with_symbol_lines_and_documentation(case: Case) -> None:
    assert described(case.language, case.text) == case.expected
