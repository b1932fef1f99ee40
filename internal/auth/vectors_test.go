package auth_test

// vector is one row of docs/protocol.md §6.
type vector struct {
	name   string
	secret string
	text   string
	digest string
}

// channelVectors are §6.1.
var channelVectors = []vector{
	{
		"V-01", "7ad3773142a6692b25b8",
		`1234.1234:private-foobar`,
		"58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4",
	},
	{
		"V-02", "7ad3773142a6692b25b8",
		`1234.1234:private-cache-foobar`,
		"395f4a03f06e17b74af8d9c58386cf386e70176f58452420f042b6e1bddefa43",
	},
	{
		"V-03", "7ad3773142a6692b25b8",
		`1234.1234:private-encrypted-foobar`,
		"e6a18892d037c5d5e76a2265df4f086ffc38631605530dfd214aa5bff495f533",
	},
	{
		"V-04", "7ad3773142a6692b25b8",
		`1234.1234:private-foobar:{"role":"x"}`,
		"2c6d89efa656f15ea03b8eaaebcec426984b96089c4a41a993cb69384543be5f",
	},
	{
		"V-05", "7ad3773142a6692b25b8",
		`1234.1234:private-foobar:`,
		"fb799eb5e55306a4911a0b1f25f875bb765b797ea357a8d311a40259e66eadcf",
	},
	{
		"V-06", "7ad3773142a6692b25b8",
		`1234.1234:presence-foobar:{"user_id":10,"user_info":{"name":"Mr. Channels"}}`,
		"31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
	},
	{
		"V-07", "7ad3773142a6692b25b8",
		`1234.1234:presence-foobar:{"user_id":10,"user_info":{"name":"Mr. Pusher"}}`,
		"afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c",
	},
	{
		"V-08", "7ad3773142a6692b25b8",
		`1234.1234:presence-foobar:{"user_id":"10","user_info":{"name":"Mr. Pusher"}}`,
		"48dac51d2d7569e1e9c0f48c227d4b26f238fa68e5c0bb04222c966909c4f7c4",
	},
	{
		"V-09", "7ad3773142a6692b25b8",
		`1234.1234:presence-foobar:{"user_id":"żółw","user_info":{"n":"€"}}`,
		"cef1566b566f1cdcda6bb73a17ce5f8e79a9c991cb409589dca017f2c4e7bd2b",
	},
	{
		"V-10", "7ad3773142a6692b25b8",
		`1234.1234:presence-foobar`,
		"71506e66e7fdca106571b8999a849ad34245bc653772e51e0026c1a2475b92ba",
	},
	{
		"V-11", "7ad3773142a6692b25b8",
		`208836.27464492:presence-cache-room.1:{"user_id":"u-1"}`,
		"f2215d1b75730f1c5de06c4aaf625463ffb355e8745993be9dd92a4cb218e414",
	},
	{
		"V-12", "tofu",
		`123.456:test`,
		"efa6cf7644a0b35cba36aa0f776f3cbf7bb60e95ea2696bde1dbe8403b61bd7c",
	},
	{
		"V-13", "tofu",
		`123.456:test:{"foo":"bar"}`,
		"f41faf9ead2ea76772cc6b1168363057459f02499ae4d92e88229dc7f4efa2d4",
	},
	{
		"V-14", "tofu",
		`1.1:test:"ą§¶™€łü€ß£"`,
		"2a229263e89d9c50524fd80c2e88be2843379f6931e28995e2cc214282c9db0c",
	},
}

// userVectors are §6.2.
var userVectors = []vector{
	{
		"V-15", "7ad3773142a6692b25b8",
		`1234.1234::user::{"id":"12345"}`,
		"4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba",
	},
	{
		"V-16", "secret",
		`12345.12345::user::{"id":"1234"}`,
		"e4c63b82c1e1d0955901f6a29ca51b244155bafda93968bc5664010f5ba54a41",
	},
	{
		"V-17", "tofu",
		`123.456::user::{"id":"45678"}`,
		"f4b1fdeea7c93e32648c7230e32b172057c5623cace6cfce791c6e7035e0babd",
	},
	{
		"V-18", "tofu",
		`1.1::user::{"id":"ą§¶™€łü€ß£"}`,
		"620494cee53d6c568b49598313194088afda37218f0d059af03c0c898ed61ff4",
	},
	{
		"V-19", "7ad3773142a6692b25b8",
		`1234.1234::user::{"id":"12345","user_info":{"name":"Ann"},"watchlist":["2","3"]}`,
		"1b4e65e68dabdd23734717992b11d3cbe077f40f4ad6ae81bace156865bd5bf5",
	},
}

// requestVectors are §6.3.
var requestVectors = []vector{
	{
		"V-20", "7ad3773142a6692b25b8",
		"POST\n/apps/3/events\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&body_md5=ec365a775a4cd0599faeb73354201b6f",
		"da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c",
	},
	{
		"V-21", "7ad3773142a6692b25b8",
		"POST\n/apps/3/batch_events\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&body_md5=5e77a9a2e624a684fe92599522c24d9d",
		"8314c650d814bba5dbbd5ffec4816245cf5d33c8b8a369e82d3d3250e1f5f4c5",
	},
	{
		"V-22", "7ad3773142a6692b25b8",
		"GET\n/apps/3/channels\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&filter_by_prefix=presence-&info=user_count",
		"16819168891cb5dfd72b5c7a5d3d602605b26c6ba1930033b5e2eeeb65010291",
	},
	{
		"V-23", "7ad3773142a6692b25b8",
		"GET\n/apps/3/channels\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&info=",
		"a120cecc0bbbdc30215174bdcb4e6347f596630c6c9f774e8efa45aa5cb775d1",
	},
	{
		"V-24", "7ad3773142a6692b25b8",
		"GET\n/apps/3/channels\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&body_md5=d41d8cd98f00b204e9800998ecf8427e",
		"5c3cd75022c4f62c35ad22f6a9cce366c860477a3b7092ca790ecfc17e6af302",
	},
	{
		"V-25", "7ad3773142a6692b25b8",
		"GET\n/apps/3/channels/presence-room\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&info=user_count,subscription_count",
		"d6a5fa75ac4886f744258768094aab889b4bd554cd8856412a2274dd50923c8d",
	},
	{
		"V-26", "7ad3773142a6692b25b8",
		"GET\n/apps/3/channels/presence-room/users\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0",
		"8afacd09c786302e67af8de4569f5d04cca3b57d9c32eca50214c9b0042e18f3",
	},
	{
		"V-27", "7ad3773142a6692b25b8",
		"POST\n/apps/3/users/user-1/terminate_connections\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&body_md5=99914b932bd37a50b983c5e7c90ae93b",
		"880052344e56f2b29dd6ae66856b69f1d496d6a262d22ccd4f50f94a6d98bf6a",
	},
	{
		"V-28", "7ad3773142a6692b25b8",
		"POST\n/apps/3/users/user-1/terminate_connections\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0",
		"6e2b9497bde54efd685e67b5ffa3c1d53a996be146802ff0bc543c0f3dcceb51",
	},
	{
		"V-29", "7ad3773142a6692b25b8",
		"POST\n/users/user-1/terminate_connections\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&body_md5=99914b932bd37a50b983c5e7c90ae93b",
		"891c6efa4471c4359d4d80ca0d45dcb083d2a8bedd9190c34d1076a1ae9872c3",
	},
	{
		"V-30", "7ad3773142a6692b25b8",
		"POST\n/apps/3/users/user 1/terminate_connections\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&body_md5=99914b932bd37a50b983c5e7c90ae93b",
		"aacc8473ff925f06450105c951fcfeaf456414eb0b6442d7e7aa1b4f1be0bd70",
	},
	{
		"V-31", "7ad3773142a6692b25b8",
		"POST\n/apps/3/users/user%201/terminate_connections\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&body_md5=99914b932bd37a50b983c5e7c90ae93b",
		"06266b56faef78085f4e27271d8fe040bfbde52007a64c4d31e0c49b3964992f",
	},
	{
		"V-32", "7ad3773142a6692b25b8",
		"POST\n/apps/3/channels/project-3/events\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&body_md5=7b3d404f5cde4a0b9b8fb4789a0098cb&name=foo",
		"a1d95f4ecba0d1d16ebe2c1ff39c0239f5a88119c52a4ab3d386f16fbddbd872",
	},
	{
		"V-33", "7ad3773142a6692b25b8",
		"POST\n/realtime/apps/3/events\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&body_md5=ec365a775a4cd0599faeb73354201b6f",
		"fbe50931f5706ad388fc6bbe727c48b219ffec101edcb85a82d486b70d710ab5",
	},
	{
		"V-34", "7ad3773142a6692b25b8",
		"POST\n/apps/3/events\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&channels[]=a&channels[]=b&data=hello world&name=foo",
		"7681582f3a871830d5b47d3c47c9523d621d66b7b58f6ad9f3f43ee9eb1eff57",
	},
	{
		"V-35", "4bf35003e819bb138249",
		"GET\n/apps/102015/channels\nauth_key=d41a439c438a100756f5&auth_timestamp=1427034994&auth_version=1.0&filter_by_prefix=presence-&info=user_count",
		"4d8a02edcc8a758b0162cd6da690a9a45fb8ae326a276dca1e06a0bc42796c11",
	},
	{
		"V-36", "4bf35003e819bb138249",
		"GET\n/apps/102015/channels\nauth_key=d41a439c438a100756f5&auth_timestamp=1427036577&auth_version=1.0&filter_by_prefix=presence-",
		"b540383af4582af5fbb5df7be5472d54bd0838c9c2021c7743062568839e6f97",
	},
	{
		"V-37", "4bf35003e819bb138249",
		"GET\n/apps/102015/channels\nauth_key=d41a439c438a100756f5&auth_timestamp=1427036787&auth_version=1.0",
		"df89248f87f6e6d028925e0b04d60f316527a865992ace6936afa91281d8bef0",
	},
	{
		"V-38", "4bf35003e819bb138249",
		"GET\n/apps/102015/channels/presence-session-d41a439c438a100756f5-4bf35003e819bb138249-ROpCFmgFhXY\nauth_key=d41a439c438a100756f5&auth_timestamp=1427053326&auth_version=1.0&info=user_count,subscription_count",
		"f93ceb31f396aef336226efe512aaf339bd5e39c7c2c04b81cc8681dc16ee785",
	},
	{
		"V-39", "4bf35003e819bb138249",
		"GET\n/apps/102015/channels/presence-session-d41a439c438a100756f5-4bf35003e819bb138249-nYJLy67qh52/users\nauth_key=d41a439c438a100756f5&auth_timestamp=1427053709&auth_version=1.0",
		"207feaf4e8efeb24e5f148011704251bf90e2059a5f97a3eb52d06178b11feca",
	},
}

// webhookVectors are §6.4.
var webhookVectors = []vector{
	{
		"V-40", "secret",
		`{"hello":"world"}`,
		"2677ad3e7c090b2fa2c0fb13020d66d5420879b8316eb356a2d60fb9073bc778",
	},
	{
		"V-41", "supersecret",
		`Hello!`,
		"64e3f44166575febbc5de88c9476325ea7d4b3684752158d9fdb31fce34b980d",
	},
	{
		"V-42", "7ad3773142a6692b25b8",
		`{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}`,
		"c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf",
	},
	{
		"V-43", "7ad3773142a6692b25b8",
		`{"time_ms":1327078148132,"events":[{"name":"channel_vacated","channel":"my-channel"}]}`,
		"977e904304ad3104e7d0ee32f280598c74a1171aadd4721564611c4aca72b3b6",
	},
	{
		"V-44", "7ad3773142a6692b25b8",
		`{"time_ms":1327078148132,"events":[{"name":"member_added","channel":"presence-room","user_id":"10"},{"name":"subscription_count","channel":"my-channel","subscription_count":3}]}`,
		"fbfe1d219dfcec2ebc73b17be228ee7f8b3c479f175c67924aecc6a738f9ade9",
	},
	{
		"V-45", "7ad3773142a6692b25b8",
		`{"time_ms":1327078148132,"events":[{"name":"client_event","channel":"presence-room","event":"client-typing","data":"{\"on\":true}","socket_id":"1234.1234","user_id":"10"}]}`,
		"e63d084161bcbc1535374377019d413e03b7bd30fc233f327aea50e2e42f82d1",
	},
}
