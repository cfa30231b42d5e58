#!/usr/bin/env bash
# `format` and `rules` decide and write down; they must not be able to do I/O, read a clock or draw random numbers.
set -euo pipefail
forbidden='^(tokio|mio|hyper|reqwest|rand|getrandom|socket2|aws-.*|tokio-postgres|lethe-(store|postgres|engine|testkit)) '
for crate in lethe-format lethe-rules; do
    # By itself: a tree that cannot be made must not pass for one without what is forbidden.
    tree=$(cargo tree --locked -e normal --prefix none -p "$crate")
    if found=$(sort -u <<<"$tree" | grep -E "$forbidden"); then
        echo "$crate must stay pure, but depends on:"; echo "$found"; exit 1
    fi
    folder=crates/${crate#lethe-}/src
    if found=$(grep -rnE 'std::(fs|net|process|env|thread)|SystemTime::now|Instant::now|Timestamp::now' "$folder"); then
        echo "$crate must stay pure, but uses:"; echo "$found"; exit 1
    fi
done
# Arrows point downwards only: store, postgres, engine and cli in this order.
for pair in 'store rules' 'store postgres' 'store engine' 'postgres rules' 'postgres store' 'postgres engine' 'engine cli'; do
    read -r lower upper <<<"$pair"
    tree=$(cargo tree --locked -e normal --prefix none -p "lethe-$lower")
    if grep -q "^lethe-$upper " <<<"$tree"; then
        echo "lethe-$lower must not depend on lethe-$upper"; exit 1
    fi
done
echo "layers: format and rules are pure"
