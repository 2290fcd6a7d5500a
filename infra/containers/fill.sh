# What the start scripts of our server images share; sourced, never run.

# fill TEMPLATE: prints a template of infra/native with its ${names} replaced by the shell's variables of the same names. A name
# without a value ends the script (set -u), as Python's Template.substitute does for the native servers. All else a shell would see
# something in is taken as it stands. Only what POSIX's sed knows: that of Kafka's image is busybox's.
fill() {
    eval "cat <<END_OF_TEMPLATE
$(sed -e 's/[\\`]/\\&/g' -e 's/\$\([^{]\)/\\$\1/g' -e 's/\$$/\\$/' "$1")
END_OF_TEMPLATE"
}

# argument WORD...: prints words as lines of a Java @argfile, as engine/native/server.py writes them.
argument() {
    for word in "$@"; do
        printf '"%s"\n' "$(printf '%s' "$word" | sed 's/[\\"]/\\&/g')"
    done
}

# secret NAME: prints a secret of this container.
secret() {
    cat "${SECRETS:-/run/secrets}/$1"
}
