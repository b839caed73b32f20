import sys

if "google.colab" in sys.modules:  # on Colab: fetch the course; anywhere else: nothing to do
    import shutil
    import subprocess
    import zipfile
    from pathlib import Path

    address, course = "", Path("course").resolve()
    last = course / "helpers" / "__init__.py"  # the zip ends with it: where it lies, all has arrived
    zips = sorted(Path().glob("course*.zip"), key=lambda path: path.stat().st_mtime)
    whole = [z for z in zips if zipfile.is_zipfile(z) and "LICENSE" in zipfile.ZipFile(z).namelist()]
    if not last.exists() or (whole and whole[-1].stat().st_mtime > last.stat().st_mtime):
        shutil.rmtree(course, ignore_errors=True)
        if whole:
            zipfile.ZipFile(whole[-1]).extractall(course)
        elif address:
            subprocess.run(["git", "clone", "--depth=1", address, course], check=True)
        else:
            what = "wait until course.zip is there whole" if zips else "upload dist/course.zip of `make colab`"
            raise FileNotFoundError(f"By the folder icon on the left {what}, then run this cell again.")
        for name in [name for name in sys.modules if name.split(".")[0] == "helpers"]:
            del sys.modules[name]  # of an older course
    sys.path.insert(0, str(course))
