// Sumdb is a checksum database for the tests, and a client of one: both are golang.org/x/mod/sumdb.
//
//	sumdb serve                           prints "KEY URL", serves on loopback, ends when stdin does
//	sumdb client KEY URL MODULE@VERSION…  looks up, verifies, prints the go.sum lines
//
// Beside the database's own paths the server has, for the test to steer it:
//
//	/add?module=M&version=V&zip=H1&gomod=H1   appends a record
//	/rollback?size=N                          forgets all records but the first N
//	/fork?from=N                              from record N on, as if other hashes had been appended
//	/lie?how=HOW                              "" (honest), other-key, flipped-signature, wrong-hash, cut-tiles, down
//	/asked                                    the paths that it was asked for so far, one a line
package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"
)

// name has a slash, as a database's name may.
const name = "localhost.localdev/sumdb"

func main() {
	log.SetFlags(0)
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		serve()
	case len(os.Args) > 4 && os.Args[1] == "client":
		if err := look(os.Args[2], os.Args[3], os.Args[4:]); err != nil {
			log.Fatal(err)
		}
	default:
		log.Fatal("usage: sumdb serve | sumdb client KEY URL MODULE@VERSION…")
	}
}

// server is the database and the lies that it tells.
type server struct {
	mu    sync.Mutex
	db    *database
	lie   string
	asked []string
}

func serve() {
	signer, verifier, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		log.Fatal(err)
	}
	stranger, _, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := &server{db: newDatabase(signer, stranger)}
	go func() { log.Fatal(http.Serve(listener, s)) }()
	fmt.Printf("%s http://%s\n", verifier, listener.Addr())
	io.Copy(io.Discard, os.Stdin)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	query := r.URL.Query()
	var err error
	switch r.URL.Path {
	case "/add":
		err = s.db.add(query.Get("module"), query.Get("version"), query.Get("zip"), query.Get("gomod"))
	case "/rollback":
		err = s.change(query.Get("size"), s.db.rolledBack)
	case "/fork":
		err = s.change(query.Get("from"), s.db.forked)
	case "/lie":
		s.lie = query.Get("how")
	case "/asked":
		fmt.Fprintln(w, strings.Join(s.asked, "\n"))
	default:
		s.asked = append(s.asked, r.URL.Path)
		s.answer(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *server) change(number string, by func(int) (*database, error)) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	db, err := by(n)
	if err == nil {
		s.db = db
	}
	return err
}

// answer lets the database answer, and then bends what it said.
func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	if s.lie == "down" {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	handler := s.db.honest
	if s.lie == "other-key" {
		handler = s.db.stranger
	}
	answer := &recorder{header: http.Header{}, status: http.StatusOK}
	handler.ServeHTTP(answer, r)
	body, lookup := answer.body.Bytes(), strings.HasPrefix(r.URL.Path, "/lookup/")
	switch {
	case answer.status != http.StatusOK:
	case s.lie == "flipped-signature" && lookup:
		// The last but one character before "=\n" carries bits of the signature.
		replace(body, len(body)-4)
	case s.lie == "wrong-hash" && lookup:
		replace(body, bytes.Index(body, []byte("h1:"))+3)
	case s.lie == "cut-tiles" && strings.HasPrefix(r.URL.Path, "/tile/"):
		body = body[:len(body)-1]
	}
	w.WriteHeader(answer.status)
	w.Write(body)
}

// replace puts another character of base64 in the place of one.
func replace(body []byte, at int) {
	body[at] = map[bool]byte{true: 'B', false: 'A'}[body[at] == 'A']
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
