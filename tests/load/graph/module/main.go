// Command graph is never built: its imports say which packages, and so which zips, the graph needs.
package main

import (
	_ "github.com/aws/aws-sdk-go-v2/aws"
	_ "github.com/gohugoio/hugo/commands"
	_ "github.com/prometheus/prometheus/promql"
	_ "google.golang.org/grpc"
	_ "k8s.io/client-go/kubernetes"
)

func main() {}
