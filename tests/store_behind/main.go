// Store_behind is a module store as a company may have one behind modgate: a
// directory in GOPROXY's layout, served by net/http without any authentication.
//
//	store_behind DIRECTORY [SECRET-FILE]
//
// It prints its URL, serves on loopback, and ends when its standard input does.
// Files have strong entity tags; ranges and conditions are net/http's own.
//
// With a secret it verifies who asks, as docs/operations.md tells an operator
// to, and notes down for every request what came of that. /-/seen answers what
// it has noted, one JSON object a line.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// seen is what is noted of one request.
type seen struct {
	Method   string      `json:"method"`
	Path     string      `json:"path"`
	Header   http.Header `json:"header"`
	Identity string      `json:"identity"`
}

type store struct {
	directory string
	secret    []byte
	mu        sync.Mutex
	seen      []seen
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: store_behind DIRECTORY [SECRET-FILE]")
	}
	s := &store{directory: os.Args[1]}
	if len(os.Args) > 2 {
		secret, err := os.ReadFile(os.Args[2])
		if err != nil {
			log.Fatal(err)
		}
		s.secret = []byte(strings.TrimSuffix(string(secret), "\n"))
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(http.Serve(listener, s))
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/-/seen" {
		s.tell(w)
		return
	}
	identity := "none"
	if s.secret != nil {
		identity = "good"
		if err := verify(r, s.secret, time.Now()); err != nil {
			identity = err.Error()
		}
	}
	s.mu.Lock()
	s.seen = append(s.seen, seen{r.Method, r.URL.Path, r.Header, identity})
	s.mu.Unlock()

	file, err := os.Open(filepath.Join(s.directory, filepath.FromSlash(r.URL.Path)))
	if err != nil {
		http.Error(w, "not found: "+r.URL.Path, http.StatusNotFound)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		http.Error(w, "not found: "+r.URL.Path, http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf("\"%x-%x\"", info.ModTime().UnixNano(), info.Size()))
	http.ServeContent(w, r, "", info.ModTime(), file)
}

func (s *store) tell(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	encoder := json.NewEncoder(w)
	for _, one := range s.seen {
		encoder.Encode(one)
	}
}

// verify reports whether the request says truly on whose behalf it is made.
func verify(r *http.Request, secret []byte, now time.Time) error {
	signed := []string{"modgate-identity-v1", r.Method, r.URL.EscapedPath()}
	for _, name := range []string{"Subject", "Groups", "Roles", "Request-Id", "Timestamp"} {
		values := r.Header.Values("X-Modgate-" + name)
		if len(values) != 1 {
			return fmt.Errorf("%d headers X-Modgate-%s", len(values), name)
		}
		signed = append(signed, values[0])
	}
	mac := hmac.New(sha256.New, secret)
	for _, line := range signed {
		io.WriteString(mac, line+"\n")
	}
	given, err := hex.DecodeString(strings.TrimPrefix(r.Header.Get("X-Modgate-Signature"), "v1="))
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return fmt.Errorf("not the signature of this request")
	}
	seconds, err := strconv.ParseInt(r.Header.Get("X-Modgate-Timestamp"), 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return fmt.Errorf("too old")
	}
	return nil
}
