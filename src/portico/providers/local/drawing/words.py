"""Hold the vocabulary: which words of four languages name which feature.

Languages: English, Chinese, Vietnamese, Polish, parted by `|`. Latin words match whole, or as
the start of a word when they end in `*`; a hyphen stands for a space or a hyphen. Chinese words
match anywhere.
"""

# Words that hold another scene's sign without meaning it.
TRAPS: dict[str, str] = {
    "花海": "花田",
    "云海": "云",
    "海拔": "",
    "sea of clouds": "clouds",
    "sea of flowers": "flowers",
    "sea of sand": "dunes",
    "morze kwiatów": "kwiaty",
}

SCENES: dict[str, str] = {
    "space": (
        "space galax* nebula* planet* cosm* universe astronaut* starfield saturn mars"
        "|太空|宇宙|星系|银河|星云|行星|vũ-trụ|thiên-hà|hành-tinh|tinh-vân|không-gian"
        "|kosmos* kosmicz* galaktyk* mgławic* planet* wszechświat*"
    ),
    "city": (
        "city cities skyline downtown urban skyscraper* street* tokyo york vegas shanghai neon "
        "cyberpunk|城市|都市|街道|高楼|摩天|霓虹|上海|thành-phố|đô-thị|đường-phố|cao-ốc"
        "|miast* mieśc* mieści* ulic* wieżow* metropoli*"
    ),
    "forest": (
        "forest* wood woods jungle pine pines trees redwood* rainforest|森林|树林|丛林"
        "|松林|竹林|rừng|cây-thông|las lasu lesie lasy leśn* puszcz* bór"
    ),
    "lake": (
        "lake* pond* river* fjord* reservoir lagoon|湖|河流|江|池塘|峡湾|hồ|sông"
        "|jezior* rzek* rzec* staw*"
    ),
    "desert": (
        "desert* dune dunes sahara oasis|沙漠|沙丘|戈壁|sa-mạc|cồn-cát|đụn-cát|pustyni* wydm*"
    ),
    "sea": (
        "sea seas ocean* wave waves beach* coast* surf shore* island* bay boat* sailing "
        "sailboat* ship*|海|洋|浪|沙滩|岛|帆船|船|biển|đại-dương|sóng|bãi-biển|thuyền"
        "|bờ-biển|morz* morsk* ocean* fal fale falach plaż* wybrzeż* łód* żagl* statek*"
    ),
    "mountains": (
        "mountain* alp alps alpine peak peaks summit himalaya* hill hills cliff* valley* "
        "canyon* volcan*|山|峰|峡谷|悬崖|高原|雪山|núi|đỉnh-núi|thung-lũng|dãy-núi"
        "|gór* szczyt* dolin* tatr*"
    ),
    "meadow": (
        "meadow* field fields grass* prairie* countryside flower* farm* pasture* lawn garden* "
        "park wheat|草地|草原|田野|花田|花园|田园|麦田|公园|cánh-đồng|đồng-cỏ"
        "|thảo-nguyên|hoa|vườn|công-viên"
        "|łąk* pole pola polu polach traw* kwiat* ogród* ogrodz* park parku"
    ),
}

TIMES: dict[str, str] = {
    "night": (
        "night* midnight moonlit moonlight starry dark|夜|月光|星空|午夜|đêm|khuya"
        "|ánh-trăng|noc nocą nocy nocn* północ* księżycow*"
    ),
    "sunset": (
        "sunset* dusk twilight evening golden-hour sundown golden|日落|夕阳|黄昏|傍晚"
        "|落日|晚霞|hoàng-hôn|chiều-tà|chạng-vạng"
        "|zachod* zachód wieczor* wieczór zmierzch*"
    ),
    "dawn": (
        "dawn sunrise* morning daybreak|日出|黎明|清晨|早晨|朝阳|bình-minh|buổi-sáng"
        "|rạng-đông|sáng-sớm|świt* świc* wschod* wschód poran* rano"
    ),
    "day": (
        "day daylight noon midday sunny afternoon|白天|中午|正午|晴天|阳光|ban-ngày"
        "|buổi-trưa|nắng|dzień dnia dzienn* południe słoneczn*"
    ),
}

WEATHERS: dict[str, str] = {
    "storm": (
        "storm* thunder* lightning hurricane tempest typhoon|暴风|风暴|雷|台风|闪电|bão"
        "|giông|sấm|burz* sztorm* piorun* huragan*"
    ),
    "rain": "rain rains rainy raining drizzle downpour|雨|mưa|deszcz* ulew* mżawk*",
    "snow": (
        "snow* snowfall winter blizzard frost* icy|雪|冬|tuyết|mùa-đông|śnieg* śnież* zim* mróz"
    ),
    "fog": "fog foggy mist misty haze hazy|雾|sương-mù|sương|mgł* mgl* zamglon*",
    "overcast": "overcast gloomy grey gray|阴天|阴沉|u-ám|pochmurn* szar*",
    "cloudy": "cloud clouds cloudy|云|mây|chmur* obłok*",
    "clear": "clear cloudless|晴|万里无云|trong xanh|quang-đãng|bezchmurn* czyst*",
}

CAMERAS: dict[str, str] = {
    "static": (
        "static still-camera locked tripod fixed-camera|固定镜头|静止|máy-tĩnh|cố-định"
        "|statyczn* nieruchom*"
    ),
    "orbit": (
        "orbit orbits orbiting orbiting-camera orbit-shot arc-shot orbits circling "
        "rotate-around|环绕|绕|quay quanh|xoay quanh|okrąż* dookoła"
    ),
    "pull": (
        "pull-back zoom-out zooms-out zooming-out dolly-out pulls-back pull-out backward"
        "|拉远|后退|拉镜头|thu-nhỏ|lùi|kéo-xa|oddala* odjazd*"
    ),
    "push": (
        "push-in zoom-in zooms-in zooming-in zoom dolly dolly-in forward fly flying flight "
        "drone flythrough approach*|推进|推镜头|前进|飞过|航拍|拉近|放大|phóng-to"
        "|tiến-tới|bay|flycam|tiến-lại|zbliż* najazd* przelot* dron*"
    ),
    "pan_left": "pan-left pans-left panning-left|左摇|向左|lia-trái|sang-trái|w-lewo",
    "pan_right": (
        "pan-right pans-right panning-right pan pans panning|右摇|向右|摇镜头|lia-phải"
        "|sang-phải|lia-máy|panoram*|w-prawo"
    ),
    "tilt_up": "tilt-up tilts-up look-up|上摇|向上|仰|ngước-lên|hướng-lên|w-górę",
    "tilt_down": "tilt-down tilts-down look-down|下摇|向下|俯|hướng-xuống|w-dół",
    "rise": (
        "rise rises rising-camera crane crane-up ascend* aerial|升起镜头|升降|上升"
        "|nâng-lên|bay-lên|wznos* żuraw*"
    ),
    "handheld": "handheld hand-held shaky|手持|cầm-tay|z-ręki",
}

SUBJECTS: dict[str, str] = {
    "boat": (
        "boat* sailboat* sail sails sailing ship* yacht*|帆船|船|thuyền|tàu"
        "|łód* żagl* statek* jacht*"
    ),
    "birds": ("bird birds seagull* gull gulls flock crane cranes|鸟|海鸥|chim|hải-âu|ptak* mew*"),
    "moon": "moon moons moonlit moonlight|月|trăng|księżyc*",
    "sun": "sun suns sunlit sunshine|太阳|阳光|mặt-trời|słońc* słonecz*",
    "balloon": "balloon* hot-air|热气球|气球|khinh-khí-cầu|balon*",
    "stars": "star stars starry|星|sao|gwiazd* gwieźd*",
    "clouds": "cloud clouds cloudy|云|mây|chmur* obłok*",
    "flowers": (
        "flower* blossom* poppy poppies tulip* lavender sunflower*|花|hoa"
        "|kwiat* mak maki makami tulipan*"
    ),
    "trees": "tree trees|树|cây|drzew*",
    "planet": (
        "planet* saturn mars jupiter earth|行星|星球|地球|hành-tinh|trái-đất|planet* ziemi*"
    ),
    "ringed": "saturn* ringed rings|土星|sao-thổ|saturn* pierście*",
    "mars": "mars martian|火星|sao-hỏa|mars marsjań*",
    "earth": "earth|地球|trái-đất|ziemi ziemia ziemię",
    "island": "island* isle|岛|đảo|wysp*",
    "fog": "fog foggy mist misty haze|雾|sương|mgł*",
    "rain": "rain* drizzle|雨|mưa|deszcz*",
    "snow": "snow*|雪|tuyết|śnieg*",
    "waves": "wave waves|浪|sóng|fal fale falach",
}

# Nouns people often ask for that this renderer cannot draw; it says so instead of guessing.
NOT_DRAWN: dict[str, str] = {
    "person": (
        "person people man men woman women girl* boy* child* kid kids dancer* actor* crowd "
        "portrait face astronaut* warrior* human*|人|女孩|男孩|女人|男人|孩子|người"
        "|cô-gái|chàng-trai|em-bé|phụ-nữ"
        "|człowiek* kobiet* mężczyzn* dziewczyn* chłop* dzieck* ludzi*"
    ),
    "animal": (
        "cat cats kitten* dog dogs puppy puppies horse* fox* wolf wolves bear bears lion* "
        "tiger* fish whale* elephant* rabbit* panda* retriever dragon*|猫|狗|马|狐|熊|狮"
        "|虎|鱼|象|兔|龙|con-mèo|con-chó|mèo|chó|ngựa|cá"
        "|kot kota koty kotek pies psa psy koń konie lis wilk* niedźwie* ryb*"
    ),
    "vehicle": (
        "car cars truck* train trains plane airplane* bus motorcycle* robot* spaceship* rocket*"
        "|汽车|火车|飞机|机器人|火箭|xe-hơi|ô-tô|tàu-hỏa|máy-bay"
        "|samoch* pociąg* samolot* robot* rakiet*"
    ),
    "text": "text letters logo slogan caption words|文字|标志|chữ|tekst* napis*",
}

LOOKS: dict[str, str] = {
    "warm": "warm golden sunset cozy amber|暖|金色|夕阳|ấm|vàng|ciepł* złot*",
    "cold": "cold cool blue winter icy|冷|蓝|lạnh|xanh lam|zimn* niebiesk* chłodn*",
    "mono": ("black-and-white monochrome grayscale noir|黑白|đen-trắng|czarno-biał* monochrom*"),
    "sepia": (
        "sepia vintage retro old-photo nostalgic|复古|怀旧|老照片|cổ-điển|hoài-cổ|sepi* retro"
    ),
    "vivid": (
        "vivid vibrant colorful colourful saturated|鲜艳|多彩|rực-rỡ|sặc-sỡ|kolorow* żyw* nasycon*"
    ),
    "soft": ("soft dreamy pastel gentle pale|柔和|梦幻|mềm-mại|mơ-màng|miękk* pastel* delikatn*"),
    "dark": "dark night moody dramatic low-key|暗|夜|戏剧|tối|đêm|ciemn* noc* mroczn*",
    "bright": "bright light airy sunny high-key|明亮|sáng|jasn* słoneczn*",
}
