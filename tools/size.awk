# Adds up what go tool nm -size prints by module: code and constants. Variables are
# left out, as nm does not tell those that begin as zeroes, which stand in no file;
# the tables of functions and lines are no symbols.
$3 ~ /^[TtRr]$/ {
	name = $4
	gsub(/%2e/, ".", name)
	sub(/^type:\.(eq|hash)\./, "", name)
	n = split(name, part, "/")
	if (name ~ /^(type|go):/ || part[1] ~ /^runtime\./) module = "Go: runtime and types"
	else if (n < 2 || part[1] !~ /^[a-z0-9.-]+\.[a-z]+$/) module = "Go: standard library"
	else {
		module = part[1] "/" part[2]
		if (part[1] ~ /^(github\.com|gitlab\.com|sigs\.k8s\.io)$/ && n > 2) module = module "/" part[3]
		sub(/\.[^.\/]*(\(.*)?$/, "", module) # what stands behind the last element: a function
	}
	size[module] += $2
	all += $2
}
END {
	for (m in size) printf "%9d KB  %4.1f %%  %s\n", size[m] / 1000, 100 * size[m] / all, m | "sort -rn | head -25"
}
