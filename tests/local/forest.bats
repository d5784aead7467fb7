#!/usr/bin/env bats
# What is done with forests beside loo: out-of-bag, cross-validation, models, pictures.

load helper

# csv FILE: a table of 60 rows, three features and a target y = a + 2b
csv()
{
	awk 'BEGIN { srand(1); print "a,b,c,y"; for (i = 0; i < 60; i++) {
		a = rand(); b = rand(); printf "%.6f,%.6f,%.6f,%.6f\n", a, b, rand(), a + 2 * b } }' >"$1"
}

@test "loo --estimator oob says so, and how many trees it took" {
	ipp loo --engines 2 --estimator oob
	show
	[ "$status" = 0 ]
	grep -Eq 'estimator +oob: .* of [0-9]+ on 499 draws' <<<"$output"
	ipp loo --engines 2 --estimator oob --json
	[ "$(jq -r .estimator <<<"$output")" = oob ]
	[ "$(jq .oob_trees <<<"$output")" -gt 272 ]
	ipp loo --engines 2 --json
	[ "$(jq -r .estimator <<<"$output")" = loo ]
}

# Over seeds both estimate the same mean, so the difference has the variance of two means of trees.
@test "the oob estimator agrees with the plain one within sampling error" {
	for seed in 1 2 3 4 5 6; do
		ipp loo --engines 2 --seed $seed --out loo.$seed
		ipp loo --engines 2 --seed $seed --estimator oob --out oob.$seed
	done
	mean_square=$(awk -F, '
		FILENAME ~ /sklearn/ { deviation[$1] = $5; next }
		/index/ { next }
		FILENAME ~ /loo/ { loo[$1] += $3 / 6 }
		FILENAME ~ /oob/ { oob[$1] += $3 / 6 }
		END {
			for (row in loo) {
				variance = deviation[row] ^ 2 / (6 * 100) + deviation[row] ^ 2 / (6 * 115)
				sum += (loo[row] - oob[row]) ^ 2 / variance
			}
			print sum / length(loo)
		}' "$data/sklearn_loo50.csv" loo.? oob.?)
	echo "mean squared difference over its variance: $mean_square"
	awk -v z="$mean_square" 'BEGIN { exit !(z > 0.5 && z < 1.7) }'
}

@test "oob predictions are the same bits for any number of engines" {
	ipp loo --engines 1 --estimator oob --out one
	ipp loo --engines 3 --estimator oob --out three
	cmp one three
}

@test "cv predicts each row once a repeat, the same for any number of engines" {
	ipp cv --engines 1 --rows 60 --trees 10 --folds 7 --repeats 2 --out one
	show
	[ "$status" = 0 ]
	ipp cv --engines 3 --rows 60 --trees 10 --folds 7 --repeats 2 --out three
	cmp one three
	[ "$(tail -n +2 one | cut -d, -f1,2 | sort -u | wc -l)" = 120 ]
}

@test "cv with a fold a row is leave-one-out in all but its random numbers" {
	ipp cv --engines 2 --rows 100 --folds 100 --json
	many=$(jq '.mse[0]' <<<"$output")
	ipp loo --engines 2 --rows 100 --held-out 0:100 --json
	awk -v a="$many" -v b="$(jq .mse <<<"$output")" 'BEGIN { exit !(a > 0.85 * b && a < 1.15 * b) }'
}

@test "cv refuses more folds than rows" {
	refused "--folds 61 is more than the 60 rows" cv --rows 60 --folds 61
}

@test "a fitted model predicts new rows, the same for any number of engines" {
	csv train.csv
	ipp forest fit --engines 1 --csv train.csv --target y --out one.model
	show
	[ "$status" = 0 ]
	grep -q 'out-of-bag squared error' <<<"$output"
	ipp forest fit --engines 3 --csv train.csv --target y --out three.model
	cmp one.model three.model
	cut -d, -f1-3 train.csv >new.csv
	ipp forest predict --engines 2 --model one.model --csv new.csv
	[ "$status" = 0 ]
	[ "${lines[0]}" = index,prediction ]
	[ "${#lines[@]}" = 61 ]
	ipp forest predict --engines 2 --model one.model --csv train.csv --target y -o with_truth.csv
	awk -F, 'NR > 1 { n++; if (($2 - $3) ^ 2 < 0.2) close_by++ } END { exit !(close_by == n) }' with_truth.csv
}

@test "importance tells the features that matter" {
	csv train.csv
	ipp forest fit --engines 2 --csv train.csv --target y --importance --json
	show
	jq -e '.importance[1] > .importance[0] and .importance[0] > 10 * .importance[2]' <<<"$output"
	[ "$(jq '.oob_predictions | length' <<<"$output")" = 60 ]
}

@test "a model that is cut, damaged, or no model is refused" {
	csv train.csv
	ipp forest fit --engines 1 --trees 3 --csv train.csv --target y --out model
	head -c 500 model >cut.model
	refused "cut or damaged" forest predict --model cut.model --csv train.csv --target y
	printf x | dd of=model bs=1 seek=300 conv=notrunc status=none
	refused "cut or damaged" forest predict --model model --csv train.csv --target y
	refused "not a model" forest predict --model train.csv --csv train.csv --target y
	refused "nosuch: cannot be read" forest predict --model nosuch --csv train.csv --target y
	mkfifo pipe
	run -125 timeout 20 ipp-run forest predict --model pipe --csv train.csv --target y
	[[ $output == "ipp-run forest: pipe: is no regular file"* ]]
	refused "home: is no regular file" forest predict --model "$HOME" --csv train.csv --target y
}

@test "rows with other columns than the model's are refused" {
	csv train.csv
	ipp forest fit --engines 1 --trees 3 --csv train.csv --target y --out model
	refused "fitted to 3 features, but the rows have 4" forest predict --model model --csv train.csv
}

@test "loo --plot draws an SVG with all rows and engines" {
	command -v gnuplot >/dev/null || skip "no gnuplot"
	ipp loo --engines 2 --rows 60 --trees 5 --plot picture.svg
	show
	[ "$status" = 0 ]
	for text in 'Predicted against held out' 'Residuals' 'Which engine did which row when'; do
		grep -q "$text" picture.svg
	done
	[ "$(grep -c "gpPt" picture.svg)" -ge 100 ]
}

@test "loo --plot draws a PNG of 1500 by 500 pixels, all of it" {
	command -v gnuplot >/dev/null || skip "no gnuplot"
	ipp loo --engines 2 --rows 60 --trees 5 --plot picture.png
	show
	[ "$status" = 0 ]
	[ "$stderr" = "" ]
	python3 - picture.png <<-'END'
		import struct, sys, zlib
		raw = open(sys.argv[1], "rb").read()
		assert raw[:8] == b"\x89PNG\r\n\x1a\n"
		assert struct.unpack(">II", raw[16:24]) == (1500, 500)
		at, pixels = 8, b""
		while at < len(raw):
		    size, kind = struct.unpack(">I4s", raw[at:at + 8])
		    pixels += raw[at + 8:at + 8 + size] if kind == b"IDAT" else b""
		    at += size + 12
		assert kind == b"IEND" and len(set(zlib.decompress(pixels))) > 20
	END
}

@test "the picture says which estimator was used" {
	command -v gnuplot >/dev/null || skip "no gnuplot"
	ipp loo --engines 2 --rows 60 --trees 5 --plot loo.svg
	ipp loo --engines 2 --rows 60 --trees 5 --estimator oob --plot oob.svg
	grep -Eq 'Leave-one-out, random forest: 50 of 60 rows, 50 features, 5 trees; MSE' loo.svg
	grep -Eq 'out-of-bag \(oob\) trees, random forest: .* at least 5 of [0-9]+ trees; MSE' oob.svg
}

@test "a picture of a single row is drawn without a word of gnuplot's" {
	command -v gnuplot >/dev/null || skip "no gnuplot"
	ipp loo --engines 1 --rows 60 --trees 5 --held-out 3 --plot picture.svg
	show
	[ "$status" = 0 ]
	[ "$stderr" = "" ]
	grep -q 'correlation undefined' picture.svg
}

@test "a user's settings of gnuplot do not change the picture" {
	command -v gnuplot >/dev/null || skip "no gnuplot"
	echo "set label 'a word of mine' at graph 0.5,0.5" >.gnuplot
	ipp loo --engines 1 --rows 60 --trees 5 --plot picture.svg
	[ "$status" = 0 ]
	grep -q 'Residuals' picture.svg
	run -1 grep 'of mine' picture.svg
}

@test "--no-replace grows each tree on all rows, --fraction on some of them" {
	csv train.csv
	ipp forest fit --engines 1 --csv train.csv --target y --trees 1 --no-replace --out model
	show
	[ "$status" = 0 ]
	[[ $output != *out-of-bag* ]] # no row was left out
	ipp forest predict --engines 1 --model model --csv train.csv --target y --out found
	awk -F, 'NR > 1 && $2 != $3 { exit 1 }' found # leaves are pure
	ipp forest fit --engines 1 --csv train.csv --target y --trees 40 --no-replace --fraction 0.25 --json
	[ "$status" = 0 ]
	jq -e '.nodes == 40 * 29 and .oob_mse > 0' <<<"$output" # 15 of the 60 rows each: 15 leaves
}

@test "loo, oob and cv draw as they are told, the same for any number of engines" {
	for verb in loo 'loo --estimator oob' cv; do
		for options in '' --no-replace '--fraction 0.5' '--no-replace --fraction 0.5'; do
			# shellcheck disable=SC2086
			run -0 ipp-run $verb --rows 30 --trees 3 $options --engines 1 --out "one $options"
			# shellcheck disable=SC2086
			run -0 ipp-run $verb --rows 30 --trees 3 $options --engines 3 --out three
			cmp "one $options" three
		done
		[ "$(md5sum one* | cut -d' ' -f1 | sort -u | wc -l)" = 4 ] # each option tells
	done
}

@test "with --fraction oob still agrees with plain loo" {
	for estimator in loo oob; do
		ipp loo --engines 2 --rows 100 --held-out 0:100 --trees 200 --fraction 0.3 --no-replace \
			--estimator $estimator --json
		jq .mse <<<"$output" >$estimator
		jq -r .estimator <<<"$output" | grep -qx $estimator
	done
	awk -v a="$(cat loo)" -v b="$(cat oob)" 'BEGIN { exit !(a > 0.93 * b && a < 1.07 * b) }'
}

@test "a picture of another kind, or in a folder that is not there, is refused before the work" {
	refused ".svg or .png" loo --plot picture.pdf
	refused "nosuch" loo --plot nosuch/picture.svg
}

@test "what oob predicts for a row does not depend on the other rows held out" {
	ipp loo --engines 2 --estimator oob --held-out 0:1 --out one
	ipp loo --engines 2 --estimator oob --held-out 0:500 --out all
	[ "$(sed -n 2p one)" = "$(sed -n 2p all)" ]
}

@test "a target of small spread beside its size can be drawn, and the report is printed first" {
	command -v gnuplot >/dev/null || skip "no gnuplot"
	awk 'BEGIN { print "a,y"; for (i = 0; i < 30; i++) printf "%d,%.17g\n", i, 1000000 + i / 1000 }' >t.csv
	ipp loo --engines 2 --trees 5 --csv t.csv --target y --plot t.svg
	show
	[ "$status" = 0 ]
	[[ $output == *"mean squared error"* ]]
	[ "$stderr" = "" ]
}

@test "cv says null where a number is not finite" {
	awk 'BEGIN { print "a,y"; for (i = 0; i < 12; i++) printf "%d,%s1e300\n", i, i % 2 ? "-" : "" }' >t.csv
	ipp cv --engines 2 --trees 3 --folds 3 --repeats 2 --csv t.csv --target y --json
	[ "$(jq -c .mse <<<"$output")" = "[null,null]" ]
}
