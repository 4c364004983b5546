# install-spark.sh FOLDER JARS WANTED: a Python with Spark, and the jars that the POM names, unless they are there.
# Started under a lock, because several parts share the folder and install at the same time.
set -e
folder=$1 pom=$2 wanted=$3
[ "$(cat "$folder/installed.txt" 2>/dev/null)" = "$wanted" ] && exit 0
rm -rf "$folder/venv" "$folder/jars" "$folder/installed.txt"
python3 -m venv "$folder/venv"
# shellcheck disable=SC2086 # one word a package
"$folder/venv/bin/python" -m pip install -q --disable-pip-version-check $wanted
cp "$pom" "$folder/pom.xml"
mvn -q -B -f "$folder/pom.xml" dependency:copy-dependencies -DoutputDirectory="$folder/jars"
printf %s "$wanted" > "$folder/installed.txt"
