package gateway

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// Bucket holds tokens that come back at a steady rate.
type Bucket struct {
	mu       sync.Mutex
	capacity float64
	perSec   float64
	tokens   float64
	last     time.Time
}

// Take removes one token, or says that there is none left.
func (b *Bucket) Take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens += now.Sub(b.last).Seconds() * b.perSec
	if b.tokens > b.capacity {
		b.tokens = b.capacity
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// LimitByAddress answers 429 to clients that ask too often.
func LimitByAddress(next http.Handler, perSec, burst float64) http.Handler {
	var mu sync.Mutex
	buckets := map[string]*Bucket{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		mu.Lock()
		b, ok := buckets[host]
		if !ok {
			b = &Bucket{capacity: burst, perSec: perSec, tokens: burst, last: time.Now()}
			buckets[host] = b
		}
		mu.Unlock()
		if !b.Take(time.Now()) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}
