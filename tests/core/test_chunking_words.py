"""What is found in languages that end a block by a word or by indentation."""

from __future__ import annotations

import pytest

from tests.core.chunk_cases import Case, described

CASES = [
    Case(
        "python",
        '''
        """Tools for text."""

        import re

        # Also counts empty words.
        @functools.cache
        def count(text: str) -> int:
            return len(text.split(" "))


        class Reader(Base):
            """Reads words, one by one."""

            limit = 3

            @property
            def words(self) -> list[str]:
                """The words."""

                def clean(word):
                    return word.strip()

                return [clean(w) for w in self._raw]

            class Options:
                strict = True

            async def close(self): ...


        if __name__ == "__main__":
            print(count("a b"))
        ''',
        """
        window 1-3
        function count 5-8 | Also counts empty words.
        class Reader 11-14 | Reads words, one by one.
        method Reader.words 16-23 | The words.
        window Reader 25-26
        method Reader.close 28-28
        window 31-32
        """,
    ),
    Case(
        "ruby",
        """
        # frozen_string_literal: true

        require "set"

        module Shop
          # A basket of goods.
          class Basket < Base
            attr_reader :goods

            # Puts one thing in.
            def add(thing)
              goods << thing
            end

            def self.empty = new([])

            class << self
              def load(path)
                new(File.readlines(path))
              end
            end

            def ==(other)
              goods == other.goods
            end
          end
        end

        Point = Struct.new(:x, :y) do
          def norm
            Math.hypot(x, y)
          end
        end
        """,
        """
        class Shop.Basket 1-8 | A basket of goods.
        method Shop.Basket.add 10-13 | Puts one thing in.
        method Shop.Basket.empty 15-17
        method Shop.Basket.load 18-21
        method Shop.Basket.== 23-27
        class Point 29-29
        method Point.norm 30-33
        """,
    ),
    Case(
        "bash",
        """
        #!/usr/bin/env bash
        set -euo pipefail

        # Prints a message to the error stream.
        # Arguments: the message.
        log() {
          echo "$*" >&2
        }

        function cleanup {
          rm -rf "$folder"
        }

        trap cleanup EXIT
        log "started"
        """,
        """
        window 1-2
        function log 4-8 | Prints a message to the error stream. Arguments: the message.
        function cleanup 10-12
        window 14-15
        """,
    ),
    Case(
        "lua",
        """
        local M = {}

        --- Adds two numbers.
        -- Both must be numbers.
        function M.add(a, b)
          return a + b
        end

        function M:describe()
          return "module"
        end

        M.handlers = {
          start = function(event)
            return event
          end,
        }

        local function helper()
          return 1
        end

        return M
        """,
        """
        function M.add 1-7 | Adds two numbers. Both must be numbers.
        method M.describe 9-11
        function M.handlers.start 13-17
        function helper 19-23
        """,
    ),
    Case(
        "haskell",
        """
        module Data.Shape (area) where

        import Data.List

        -- | A shape in the plane.
        data Shape
          = Circle Double
          | Square Double
          deriving (Show)

        -- | The area of a shape.
        -- Never negative.
        area :: Shape -> Double
        area (Circle r) = pi * r * r
        area (Square a) = squared
          where
            squared = a * a

        {- | How shapes are compared. -}
        instance Eq Shape where
          a == b = area a == area b

        (<+>) :: Shape -> Shape -> Double
        a <+> b = area a + area b

        total = sum . map area
        """,
        """
        window 1-3
        class Shape 5-9 | A shape in the plane.
        function area 11-17 | The area of a shape. Never negative.
        class Eq 19-21 | How shapes are compared.
        function <+> 23-24
        function total 26-26
        """,
    ),
    Case(
        "elixir",
        '''
        defmodule Shop.Basket do
          @moduledoc """
          A basket of goods.
          """

          use Agent

          @doc """
          Puts one thing in.
          """
          @spec add(t(), thing()) :: t()
          def add(basket, nil), do: basket

          def add(basket, thing) when is_map(thing) do
            [thing | basket]
          end

          defp price(%{price: price}), do: price

          defmacro sum(list) do
            quote do: Enum.sum(unquote(list))
          end

          @doc "Joins two baskets."
          def left + right do
            left ++ right
          end
        end
        ''',
        """
        class Shop.Basket 1-6 | A basket of goods.
        function Shop.Basket.add 8-16 | Puts one thing in.
        function Shop.Basket.price 18-18
        function Shop.Basket.sum 20-22
        function Shop.Basket.+ 24-28 | Joins two baskets.
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.language)
def test_definitions_are_found_with_symbol_lines_and_documentation(case: Case) -> None:
    assert described(case.language, case.text) == case.expected
