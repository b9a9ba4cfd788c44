package main

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// chunk is how much an answer may send before it is another one's turn.
const chunk = 16 << 10

// A link is the way to an upstream: each request waits, and all answers share one rate.
type link struct {
	delay time.Duration
	// Bytes a second.
	rate float64

	mu sync.Mutex
	// When the last chunk that was let through will have passed.
	free time.Time

	requests, bytes atomic.Int64
}

// handler puts the link in front of an upstream.
func (l *link) handler(upstream http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.requests.Add(1)
		time.Sleep(l.delay)
		upstream.ServeHTTP(&passage{ResponseWriter: w, link: l}, r)
	})
}

// pass waits until so many bytes have passed. Whoever comes first is first, and nobody sends more than a chunk at a time,
// so answers under way share the rate fairly. A chunk that is late because its goroutine woke late costs nothing.
func (l *link) pass(count int) {
	l.bytes.Add(int64(count))
	l.mu.Lock()
	if now := time.Now(); l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(count) / l.rate * float64(time.Second)))
	wait := time.Until(l.free)
	l.mu.Unlock()
	time.Sleep(wait)
}

// A passage is an answer on its way over a link. It hides what would let the body pass at once.
type passage struct {
	http.ResponseWriter
	link *link
}

func (p *passage) Write(bytes []byte) (int, error) {
	written := 0
	for written < len(bytes) {
		piece := bytes[written:min(written+chunk, len(bytes))]
		p.link.pass(len(piece))
		count, err := p.ResponseWriter.Write(piece)
		written += count
		if err != nil {
			return written, err
		}
	}
	return written, nil
}
