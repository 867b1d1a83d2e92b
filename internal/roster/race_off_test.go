//go:build !race

package roster

const raced = false
