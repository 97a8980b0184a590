"""One small source file in each mined language: a documented function, and others that are to be left out."""

from __future__ import annotations

PYTHON = '''
class Reader:
    def read_lines(self, path):
        """Read all the lines of a text file.

        The file is closed even when reading fails. It must be a text file.

        Args:
            path: where the file stands
        """
        with open(path) as file:
            return file.read().splitlines()

    def __init__(self, path):
        """Create a reader of the file at a path."""
        self.path = path
        self.lines = []

    def __len__(self):
        """Return the number of lines that were read."""
        total = 0
        total += 1
        return total

    def short(self):
        """Return the path of the file that is read."""
        return self.path


def undocumented(a):
    b = a + 1
    c = b + 1
    return c


def test_reading():
    """Check that the lines of a file are read."""
    a = 1
    b = 2
    assert a < b


def vague(a):
    """See above."""
    b = a + 1
    c = b + 1
    return c
'''

JAVA = """
package shop;

public class Reader {
    /** Creates a reader of the file at a path. */
    public Reader(Path path) {
        this.path = path;
        this.lines = null;
    }

    /**
     * Reads all the lines of a {@link TextFile text file}. It is closed then.
     * <p>
     * The file must not be empty.
     *
     * @param path where the file stands
     * @return its lines
     */
    @Override
    public List<String> readLines(Path path) {
        Stream<String> lines = Files.lines(path);
        return lines.toList();
    }

    /** Returns the path of the file and how many lines it has. */
    public String toString() {
        String text = path.toString();
        return text + lines;
    }

    /** {@inheritDoc} */
    public int compare(Path a, Path b) {
        int order = a.compareTo(b);
        return order;
    }
}
"""

JAVASCRIPT = """
import fs from "fs";

/**
 * Reads all the lines of a text file.
 *
 * The file is closed then.
 * @param {string} path where the file stands
 */
export function readLines(path) {
  const text = fs.readFileSync(path, "utf8");
  return text.split("\\n");
}

class Reader {
  /** Creates a reader of the file at a path. */
  constructor(path) {
    this.path = path;
    this.lines = [];
  }

  // eslint-disable-next-line no-empty
  skip(lines) {
    this.lines += lines;
    return this.lines;
  }
}
"""

TYPESCRIPT = """
export class Reader {
  /**
   * Reads all the lines of a text file.
   * @param path where the file stands
   */
  async readLines(path: string): Promise<string[]> {
    const text = await load(path);
    return text.split("x");
  }
}

/** Counts the lines of a file. */
export const countLines = (path: string): number => {
  const text = load(path);
  return text.length;
};
"""

GO = """
package reader

// ReadLines reads all the lines of a text file. It closes the file.
//
// The file must not be empty.
//
//go:noinline
func (r *Reader) ReadLines(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	return strings.Split(string(data), "x"), err
}

// String returns the path of the file and its size.
func (r *Reader) String() string {
	text := r.path
	return text + "x"
}
"""

RUST = """
impl Reader {
    /// Reads all the lines of a [`TextFile`].
    ///
    /// # Examples
    ///
    /// ```
    /// reader.read_lines("x");
    /// ```
    #[inline]
    pub fn read_lines(&self, path: &str) -> Vec<String> {
        let text = load(path);
        text.lines().collect()
    }
}

mod tests {
    /// Checks that the lines of a file are read.
    fn reading() {
        let a = 1;
        assert!(a < 2);
    }
}
"""

CSHARP = """
namespace Shop
{
    public class Reader
    {
        /// <summary>Creates a reader of the file at a path.</summary>
        public Reader(string path)
        {
            this.path = path;
            this.lines = null;
        }

        /// <summary>
        /// Reads all the lines of a <see cref="TextFile"/>.
        /// </summary>
        /// <param name="path">Where the file stands.</param>
        /// <remarks>The file must not be empty.</remarks>
        public string[] ReadLines(string path)
        {
            var text = File.ReadAllText(path);
            return text.Split('x');
        }
    }
}
"""

PHP = """<?php

namespace Shop;

class Reader
{
    /**
     * Create a reader of the file at a path.
     */
    public function __construct(string $path)
    {
        $this->path = $path;
        $this->lines = [];
    }

    /**
     * Read all the lines of a text file.
     *
     * @param string $path
     * @return string[]
     */
    public function readLines(string $path): array
    {
        $text = file_get_contents($path);
        return explode('x', $text);
    }
}
"""

RUBY = """# frozen_string_literal: true

module Shop
  class Reader
    # Creates a reader of the file at a path.
    def initialize(path)
      @path = path
      @lines = []
    end

    # Reads all the lines of a text file.
    #
    # @param path [String] where the file stands
    # @return [Array<String>]
    def read_lines(path)
      text = File.read(path)
      text.lines
    end
  end
end
"""

C = """
/*
 * read_lines() - Read all the lines of a text file
 */
static int read_lines(const char *path, char **lines)
{
    FILE *file = fopen(path, "r");
    return fill(lines, file);
}
"""

CPP = """
class Reader {
 public:
  /// Creates a reader of the file at a path.
  Reader(const char *path) {
    this->path = path;
    this->lines = 0;
  }

  /// Reads all the lines of a text file.
  /// @param path where the file stands
  Lines readLines(const char *path) {
    auto file = open(path);
    return fill(lines, file);
  }
};
"""

# Language → (name of the file, its text, the symbol to be mined).
BY_LANGUAGE = {
    "python": ("reader.py", PYTHON, "Reader.read_lines"),
    "java": ("Reader.java", JAVA, "Reader.readLines"),
    "javascript": ("reader.js", JAVASCRIPT, "readLines"),
    "typescript": ("reader.ts", TYPESCRIPT, "Reader.readLines"),
    "tsx": ("Reader.tsx", TYPESCRIPT, "Reader.readLines"),
    "go": ("reader.go", GO, "Reader.ReadLines"),
    "rust": ("reader.rs", RUST, "Reader.read_lines"),
    "csharp": ("Reader.cs", CSHARP, "Shop.Reader.ReadLines"),
    "php": ("Reader.php", PHP, "Shop.Reader.readLines"),
    "ruby": ("reader.rb", RUBY, "Shop.Reader.read_lines"),
    "c": ("reader.c", C, "read_lines"),
    "cpp": ("reader.cc", CPP, "Reader.readLines"),
}
