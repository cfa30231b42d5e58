# The second company of the demo, sourced by run.sh: a forum without a single foreign key.
# shellcheck shell=bash disable=SC2154

echo; echo "== a second company, a forum without foreign keys: its lethe.toml says whose a row is"
start_server forum
sql forum postgres -c 'CREATE DATABASE forum'
sql forum forum -f "$demo/forum.sql" >/dev/null
mkdir forum_settings; cd forum_settings
"$lethe" --quiet init --store "file://$work/forum_store" >/dev/null
cat >>lethe.toml <<'TOML'

[subject.user]
table = "public.users"

[[reference]]
from = "public.posts(author_id)"
to = "public.users(id)"
on_erase = "drop"

[[reference]]
from = "public.comments(owner_id)"
to = "public.users(id)"
when = { column = "owner_type", equals = "User" }
on_erase = "drop"

[[reference]]
from = "public.comments(owner_id)"
to = "public.posts(id)"
when = { column = "owner_type", equals = "Post" }
on_erase = "drop"

[[reference]]
from = "public.newsletters(email)"
to = "public.users(email)"
on_erase = "drop"

[[reference]]
from = "public.rooms(member_ids)"
element = true
to = "public.users(id)"
on_erase = "remove"

[[reference]]
from = "public.logs(doc)"
path = "$.actor.id"
to = "public.users(id)"
on_erase = "drop"

[[not_personal]]
columns = "public.rooms(name)"
because = "chosen from a list of topics"
TOML
sed -n '/^\[subject/,$p' lethe.toml | sed 's/^/   /'

echo; echo "== lethe coverage: is there a column that nobody has thought of?"
from="postgres://postgres@/forum?host=$work/forum"
"$lethe" coverage --from "$from"

echo; echo "== a snapshot; then 100 users are erased, and the forum is restored"
"$lethe" snapshot --from "$from"
gone="id % 20 = 7"
sql forum forum -c "SELECT id FROM users WHERE $gone" >erased.txt
sql forum forum -c "SELECT token FROM users WHERE $gone" >tokens.txt
"$lethe" tombstone add --subject user --ids-file erased.txt --request "demo-2"
# What somebody who knows the forum would delete by hand.
sql forum postgres -c 'CREATE DATABASE expected TEMPLATE forum'
sql forum expected -c "
    DELETE FROM comments WHERE owner_type = 'Post' AND owner_id IN (SELECT id FROM posts WHERE author_id IN (SELECT id FROM users WHERE $gone));
    DELETE FROM comments WHERE owner_type = 'User' AND owner_id IN (SELECT id FROM users WHERE $gone);
    DELETE FROM posts WHERE author_id IN (SELECT id FROM users WHERE $gone);
    DELETE FROM logs WHERE (doc #>> '{actor,id}')::bigint IN (SELECT id FROM users WHERE $gone);
    UPDATE rooms SET member_ids = coalesce((SELECT array_agg(m ORDER BY n) FROM unnest(member_ids) WITH ORDINALITY u(m, n)
        WHERE m NOT IN (SELECT id FROM users WHERE $gone)), '{}');
    DELETE FROM newsletters WHERE email IN (SELECT email FROM users WHERE $gone);
    DELETE FROM users WHERE $gone"
start_server forum_replacement
sql forum_replacement postgres -c 'CREATE DATABASE forum TEMPLATE template0'
"$lethe" restore --label production --into "postgres://postgres@/forum?host=$work/forum_replacement"

echo; echo "== the proof"
compare forum expected forum_replacement forum users posts comments newsletters rooms logs
stop_server forum; stop_server forum_replacement
search 100 forum forum_replacement
cd "$work"
