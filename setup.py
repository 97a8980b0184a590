"""What pyproject.toml cannot say: the folder `resources` at the top is installed as `spencer_desktop/resources`."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["spencer_desktop*", "spencer_models*"]), "spencer_desktop.resources"],
    package_dir={"spencer_desktop.resources": "resources"},
    package_data={"spencer_desktop.resources": ["**/*"]},
    # What only training goes on from.
    exclude_package_data={"spencer_desktop.resources": ["checkpoints/**/*"]},
)
