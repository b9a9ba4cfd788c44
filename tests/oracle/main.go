// Oracle answers, with golang.org/x/mod, what modgate's own code for module
// paths, versions, zips, hashes and tiles must answer too; and signs, with the
// standard library, the tokens that it must accept.
//
// It reads one JSON request a line on standard input and writes one JSON
// answer a line on standard output, in the same order:
//
//	{"op":"escapepath","a":"github.com/BurntSushi/toml"}
//	{"ok":true,"out":"github.com/!burnt!sushi/toml"}
//
// The fields a and b are the arguments, bytes (base64) the content where an
// operation is about one. An operation that fails answers {"ok":false,"err":…}.
//
// With the argument "letters" or "fold" it prints instead the Rust table of
// that name (src/module/unicode/), from the unicode package it was built with.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
)

// A request is one question. Which fields matter depends on Op.
type request struct {
	Op    string `json:"op"`
	A     string `json:"a"`
	B     string `json:"b"`
	File  string `json:"file"`
	Bytes []byte `json:"bytes"`
}

// An answer to one request.
type answer struct {
	OK  bool   `json:"ok"`
	Out string `json:"out,omitempty"`
	Err string `json:"err,omitempty"`
	N   int    `json:"n,omitempty"`
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("oracle: ")
	if len(os.Args) == 2 {
		printTable(os.Args[1])
		return
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	enc := json.NewEncoder(out)
	for in.Scan() {
		var q request
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			log.Fatalf("request %q: %v", in.Bytes(), err)
		}
		op, known := operations[q.Op]
		if !known {
			log.Fatalf("unknown operation %q", q.Op)
		}
		if err := enc.Encode(op(q)); err != nil {
			log.Fatal(err)
		}
		// Whoever asks one question at a time waits for its answer.
		if err := out.Flush(); err != nil {
			log.Fatal(err)
		}
	}
	if err := in.Err(); err != nil {
		log.Fatal(err)
	}
}
