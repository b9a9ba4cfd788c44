package main

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
)

// A yardstick is nginx with the same tree, certificate and password.
type yardstick struct {
	*process
	url string
}

// startNginx starts it by the configuration of the load program, which says what it expects beside it.
func startNginx(conf, dir string, t *tree, identity *identity, password string) (*yardstick, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(conf)
	if err != nil {
		return nil, err
	}
	sum := sha1.Sum([]byte(password))
	files := map[string]string{
		"nginx.conf":  string(text),
		"listen.conf": fmt.Sprintf("listen 127.0.0.1:%d ssl http2;\n", port),
		"htpasswd":    "graph:{SHA}" + base64.StdEncoding.EncodeToString(sum[:]) + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	for name, to := range map[string]string{"tree": t.proxy(), "tls": filepath.Dir(identity.certificate)} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	directives, err := directives()
	if err != nil {
		return nil, err
	}
	server, err := start(filepath.Join(dir, "nginx.out"), port, "nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"),
		"-e", filepath.Join(dir, "error.log"), "-g", directives)
	return &yardstick{server, fmt.Sprintf("https://localhost:%d", port)}, err
}

// directives keep nginx in the foreground and under our own account, where it may read the tree.
func directives() (string, error) {
	me, err := user.Current()
	if err != nil {
		return "", err
	}
	group, err := user.LookupGroupId(me.Gid)
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath("nginx"); err != nil {
		return "", fmt.Errorf("%w; install it with: apt-get install nginx-light", err)
	}
	return fmt.Sprintf("daemon off; user %s %s;", me.Username, group.Name), nil
}
