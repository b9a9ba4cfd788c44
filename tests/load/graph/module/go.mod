// The graph that is measured: five large modules at fixed versions. `go mod tidy` finds the rest by their go.mod files,
// so it is the same everywhere.
module example.test/graph

go 1.24

require (
	github.com/aws/aws-sdk-go-v2 v1.41.0
	github.com/gohugoio/hugo v0.147.0
	github.com/prometheus/prometheus v0.303.0
	google.golang.org/grpc v1.77.0
	k8s.io/client-go v0.32.3
)
