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
	grep -Eq 'estimator +oob: .* of [0-9]+ on n-1 draws' <<<"$output"
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
	ipp loo --engines 2 --rows 60 --trees 5 --plot picture.png
	[ "$(head -c 4 picture.png | tail -c 3)" = PNG ]
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
