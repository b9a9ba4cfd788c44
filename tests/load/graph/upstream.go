package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// serveTree serves a GOPROXY tree over HTTPS (HTTP/2 too) behind a link, without any authentication. It returns the URL.
func serveTree(t *tree, identity *identity, link *link) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(t.proxy())
	if err != nil {
		return "", err
	}
	files := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serveFile(root, w, r) })
	server := &http.Server{Handler: link.handler(files), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { log.Fatal(server.ServeTLS(listener, identity.certificate, identity.key)) }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return "https://localhost:" + port, err
}

// serveFile sends a file, or 404 for what is none.
func serveFile(root *os.Root, w http.ResponseWriter, r *http.Request) {
	file, err := root.Open(filepath.FromSlash(r.URL.Path[1:]))
	if err != nil {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	// A client that goes away is no error of ours.
	_, _ = io.CopyBuffer(w, struct{ io.Reader }{file}, make([]byte, 4*chunk))
}
