package gateway

import (
	"testing"
	"time"
)

func TestBucketRefills(t *testing.T) {
	start := time.Unix(0, 0)
	b := &Bucket{capacity: 2, perSec: 1, tokens: 2, last: start}
	for i, want := range []bool{true, true, false} {
		if got := b.Take(start); got != want {
			t.Fatalf("token %d: got %v, want %v", i, got, want)
		}
	}
	if !b.Take(start.Add(time.Second)) {
		t.Fatal("a second later there should be a token again")
	}
}
