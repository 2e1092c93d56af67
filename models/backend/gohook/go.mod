module github.com/gomlx/compute/gohook

go 1.26.5

require github.com/gomlx/compute v0.1.6
