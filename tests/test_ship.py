"""`ship` as it is typed: which version is meant, and what is done on the hosts afterwards."""

from engines import PrivateEngine
from sites import Site
from switches import carry


def test_the_version_of_head_is_meant_or_the_one_just_built(own_site: Site) -> None:
    with PrivateEngine() as second:
        carry(own_site.engine, second, "tiny:1")
        assert "There is no version" in own_site.inv("ship", second.host, code=2).stderr
        said = own_site.inv("frame", "ship", second.host).stdout
        assert f"{second.host} has tests/visdom:0.2.1: " in said
        assert own_site.inv("ship", second.host).stdout == f"{second.host} has tests/visdom:0.2.1 already.\n"
